//! Files beside a message: which kinds there are, in which forms a vendor takes them, and when one is refused.

use bytes::Bytes;
use slipstream_domain::ErrorClass;

use crate::{Capability, Model, ProviderError};

/// About how many tokens a picture takes; vendors charge between 85 and some 1,600 for one of the usual size.
const PICTURE_TOKENS: u64 = 1600;
/// About how many bytes of a PDF file make a token: a page has some 2,000 tokens and 60 KiB.
const PDF_BYTES_PER_TOKEN: u64 = 30;
/// A vendor reads the pages of a PDF as pictures too, so that even a small one takes this many.
const LEAST_PDF_TOKENS: u64 = 2000;

/// A file that belongs to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its media type, `image/png` for example, without parameters.
    pub mime: String,
    /// Its name for people.
    pub filename: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// Where its content is.
    pub source: Source,
}

/// Where a file's content is. [`crate::Providers::intake`] says which of these a vendor takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The vendor fetches it; must be reachable for it, and stay so for the length of the call.
    Url(String),
    /// It goes with the request.
    Inline(Bytes),
    /// The vendor has it already, under this name of its own.
    Uploaded(String),
}

/// What a file is to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// PNG, JPEG, GIF or WebP: what all vendors that read pictures can read.
    Image,
    /// A PDF file.
    Pdf,
    /// Text of any kind. It is put into the message, so that every model can read it.
    Text,
}

/// The forms in which a vendor takes a file; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intake {
    /// [`Source::Url`].
    pub url: bool,
    /// [`Source::Inline`], up to this many bytes.
    pub inline: Option<u64>,
    /// [`Source::Uploaded`], by [`crate::Providers::upload`].
    pub upload: bool,
}

impl Intake {
    /// With the request only, up to so many bytes.
    pub(crate) const fn inline(bytes: u64) -> Self {
        Self { url: false, inline: Some(bytes), upload: false }
    }

    /// By URL, or with the request up to so many bytes.
    pub(crate) const fn url_or_inline(bytes: u64) -> Self {
        Self { url: true, inline: Some(bytes), upload: false }
    }
}

/// A file that a model cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{model} cannot read {file} ({mime})")]
pub struct Unreadable {
    /// The model's name for people.
    pub model: String,
    /// The file's name.
    pub file: String,
    /// Its media type.
    pub mime: String,
}

impl From<Unreadable> for ProviderError {
    fn from(unreadable: Unreadable) -> Self {
        Self::new(ErrorClass::InvalidRequest, &unreadable.to_string())
    }
}

impl FileKind {
    /// By media type; none: no model reads it.
    #[must_use]
    pub fn of(mime: &str) -> Option<Self> {
        match mime {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Some(Self::Image),
            "application/pdf" => Some(Self::Pdf),
            "application/json"
            | "application/xml"
            | "application/yaml"
            | "application/toml"
            | "application/javascript"
            | "application/sql" => Some(Self::Text),
            other => other.starts_with("text/").then_some(Self::Text),
        }
    }

    /// What a model must be able to do to read it; none: any model can.
    const fn needs(self) -> Option<Capability> {
        match self {
            Self::Image => Some(Capability::ImageIn),
            Self::Pdf => Some(Capability::PdfIn),
            Self::Text => None,
        }
    }

    pub(crate) fn readable_by(self, model: &Model) -> bool {
        self.needs().is_none_or(|capability| model.can(capability))
    }
}

impl Attachment {
    /// What it is to a model.
    ///
    /// # Errors
    /// The model cannot read files of this type.
    pub fn kind_for(&self, model: &Model) -> Result<FileKind, Unreadable> {
        let unreadable = || Unreadable {
            model: model.name.clone(),
            file: self.name().to_owned(),
            mime: self.mime.clone(),
        };
        FileKind::of(&self.mime).filter(|kind| kind.readable_by(model)).ok_or_else(unreadable)
    }

    /// Its name, or a word for it.
    pub(crate) fn name(&self) -> &str {
        self.filename.as_deref().unwrap_or("a file")
    }

    /// About how many tokens it takes.
    pub(crate) fn estimated_tokens(&self) -> u64 {
        match FileKind::of(&self.mime) {
            Some(FileKind::Image) => PICTURE_TOKENS,
            Some(FileKind::Pdf) => LEAST_PDF_TOKENS.max(self.size / PDF_BYTES_PER_TOKEN),
            Some(FileKind::Text) => self.size.div_ceil(4),
            None => 0,
        }
    }

    /// Its text, between lines that say so, for a message.
    ///
    /// # Errors
    /// It is not with the request, or is not UTF-8.
    pub(crate) fn as_text(&self) -> Result<String, ProviderError> {
        let fault =
            |what: &str| ProviderError::new(ErrorClass::InvalidRequest, &format!("{} {what}", self.name()));
        let Source::Inline(bytes) = &self.source else { return Err(fault("must come with the request")) };
        let text = std::str::from_utf8(bytes).map_err(|_| fault("is not text in UTF-8"))?;
        Ok(format!("--- {} ---\n{text}\n--- end of {} ---", self.name(), self.name()))
    }

    /// `data:<mime>;base64,…`, or the URL.
    ///
    /// # Errors
    /// It was uploaded to a vendor, which takes no such thing here.
    pub(crate) fn as_url(&self) -> Result<String, ProviderError> {
        match &self.source {
            Source::Url(url) => Ok(url.clone()),
            Source::Inline(bytes) => Ok(format!("data:{};base64,{}", self.mime, base64(bytes))),
            Source::Uploaded(_) => Err(self.wrong_form()),
        }
    }

    /// The form in which it was handed over is none of those [`crate::Providers::intake`] offers.
    pub(crate) fn wrong_form(&self) -> ProviderError {
        let message = format!("{} was handed over in a form its vendor does not take", self.name());
        ProviderError::new(ErrorClass::Internal, &message)
    }
}

/// Bytes as the vendors' JSON has them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
