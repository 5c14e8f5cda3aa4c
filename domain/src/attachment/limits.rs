//! Which files are taken, how large, and what must be found of one for it to be what it was said to be.

use crate::event::{AttachmentReady, AttachmentRequested, FailReason, ReadyContent};
use crate::sealed::Sealed;
use crate::values::{ImageDetails, MediaType};

/// What kind of file a media type is, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileClass {
    /// A picture.
    Image,
    /// A document of pages.
    Document,
    /// Text of any kind.
    Text,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
}

impl FileClass {
    /// Of the media types that are taken; `None` for all others. What runs when it is opened is not among them.
    #[must_use]
    pub fn of(mime: &MediaType) -> Option<Self> {
        match mime.as_str() {
            "image/png" | "image/jpeg" | "image/gif" | "image/webp" => Some(Self::Image),
            "application/pdf"
            | "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            | "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            | "application/vnd.openxmlformats-officedocument.presentationml.presentation" => {
                Some(Self::Document)
            }
            "application/json"
            | "application/xml"
            | "application/yaml"
            | "application/toml"
            | "application/javascript"
            | "application/sql" => Some(Self::Text),
            "audio/mpeg" | "audio/mp4" | "audio/x-m4a" | "audio/wav" | "audio/x-wav" | "audio/ogg"
            | "audio/webm" | "audio/flac" | "audio/aac" => Some(Self::Audio),
            "video/mp4" | "video/webm" | "video/quicktime" => Some(Self::Video),
            other => other.starts_with("text/").then_some(Self::Text),
        }
    }
}

/// How much is taken. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Limits {
    pub image: u64,
    pub document: u64,
    pub text: u64,
    pub audio: u64,
    pub video: u64,
    /// All files of a user together.
    pub user: u64,
    /// Files of a user that are announced and not there yet.
    pub open: u64,
    /// Pixels of a picture: all of its frames are decoded by whoever shows it.
    pub pixels: u64,
}

impl Default for Limits {
    /// Pictures and documents are what vendors take at the most, rounded up.
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            image: 20 * MIB,
            document: 50 * MIB,
            text: 10 * MIB,
            audio: 100 * MIB,
            video: 100 * MIB,
            user: 2048 * MIB,
            open: 100,
            pixels: 100_000_000,
        }
    }
}

/// What a user has stored, as a reader of the log sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes of all files that are there or announced.
    pub bytes: u64,
    /// How many are announced and not there yet.
    pub open: u64,
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitRejection {
    /// Files of this type are not.
    #[error("files of type {0} are not taken")]
    Type(MediaType),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is too large.
    #[error("the file has {size} bytes; at most {max} are taken of a file of type {mime}")]
    TooLarge {
        /// Its type.
        mime: MediaType,
        /// Its size.
        size: u64,
        /// The largest size.
        max: u64,
    },
    /// The user's files are too large together.
    #[error("your files would take {total} bytes; at most {max} are kept for you, so delete some")]
    Quota {
        /// With this one.
        total: u64,
        /// The most.
        max: u64,
    },
    /// The user has announced too many.
    #[error("{open} of your uploads are under way; finish or abort some")]
    TooManyOpen {
        /// How many.
        open: u64,
    },
}

impl Limits {
    /// The largest file of this type.
    ///
    /// # Errors
    /// `Type`.
    pub fn largest(&self, mime: &MediaType) -> Result<u64, LimitRejection> {
        match FileClass::of(mime) {
            Some(FileClass::Image) => Ok(self.image),
            Some(FileClass::Document) => Ok(self.document),
            Some(FileClass::Text) => Ok(self.text),
            Some(FileClass::Audio) => Ok(self.audio),
            Some(FileClass::Video) => Ok(self.video),
            None => Err(LimitRejection::Type(mime.clone())),
        }
    }

    /// Whether a file of this type and size, if that is known, may be added to what its user has.
    ///
    /// # Errors
    /// See [`LimitRejection`].
    pub fn check(&self, mime: &MediaType, size: Option<u64>, usage: Usage) -> Result<(), LimitRejection> {
        let max = self.largest(mime)?;
        let size = size.unwrap_or(1);
        if size == 0 {
            return Err(LimitRejection::Empty);
        }
        if size > max {
            return Err(LimitRejection::TooLarge { mime: mime.clone(), size, max });
        }
        let total = usage.bytes.saturating_add(size);
        if total > self.user {
            return Err(LimitRejection::Quota { total, max: self.user });
        }
        if usage.open >= self.open {
            return Err(LimitRejection::TooManyOpen { open: usage.open });
        }
        Ok(())
    }
}

/// What a file's first bytes say that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sniffed {
    /// A file of this type.
    Known(MediaType),
    /// Sound or moving pictures: they share their containers, and a container has many names.
    Media,
    /// Text, as far as it was looked at.
    Text,
    /// Neither.
    Unknown,
}

/// What a store and a look into a file tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of the store: version, entity tag, size and type.
    pub version_id: Option<String>,
    /// The store's entity tag.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// What it was stored as.
    pub mime: MediaType,
    /// The store's own digest.
    pub checksum: Option<String>,
    /// The store's class of storage.
    pub storage_class: Option<String>,
    /// What its first bytes say.
    pub sniffed: Sniffed,
    /// What is seen in a picture; `None` when it cannot be read.
    pub image: Option<ImageDetails>,
    /// Pages of a document; `None` when they could not be counted.
    pub pages: Option<u32>,
    /// The beginning of its text.
    pub text_preview: Option<String>,
}

impl Found {
    /// What it is, when it is what was said, within `pixels`.
    pub(super) fn check(
        self,
        asked: &AttachmentRequested,
        pixels: u64,
    ) -> Result<AttachmentReady, FailReason> {
        if self.size == 0 || asked.size.is_some_and(|size| size != self.size) {
            return Err(FailReason::SizeMismatch);
        }
        if self.mime != asked.mime {
            return Err(FailReason::TypeMismatch);
        }
        let class = FileClass::of(&self.mime);
        if !is_content_of(&self.sniffed, &self.mime, class) {
            return Err(FailReason::ContentMismatch);
        }
        if class == Some(FileClass::Image) && !self.image.as_ref().is_some_and(|image| fits(image, pixels)) {
            return Err(FailReason::UnreadableImage);
        }
        let Self {
            version_id, etag, size, mime, checksum, storage_class, image, pages, text_preview, ..
        } = self;
        let content = Sealed::Open(ReadyContent { text_preview });
        Ok(AttachmentReady { version_id, etag, size, mime, checksum, storage_class, image, pages, content })
    }
}

fn fits(image: &ImageDetails, pixels: u64) -> bool {
    let frame = u64::from(image.width) * u64::from(image.height);
    let all = frame.saturating_mul(image.frames.unwrap_or(1).max(1).into());
    frame > 0 && all <= pixels
}

/// Whether what its first bytes say fits what it is said to be.
fn is_content_of(sniffed: &Sniffed, mime: &MediaType, class: Option<FileClass>) -> bool {
    match (class, sniffed) {
        (Some(FileClass::Text), Sniffed::Text)
        | (Some(FileClass::Audio | FileClass::Video), Sniffed::Media) => true,
        (Some(FileClass::Image | FileClass::Document), Sniffed::Known(known)) => known == mime,
        (Some(FileClass::Text), Sniffed::Known(_) | Sniffed::Media | Sniffed::Unknown)
        | (Some(FileClass::Image | FileClass::Document), Sniffed::Media | Sniffed::Text | Sniffed::Unknown)
        | (Some(FileClass::Audio | FileClass::Video), Sniffed::Known(_) | Sniffed::Text | Sniffed::Unknown)
        | (None, _) => false,
    }
}
