//! What is said of a file: where it came from, what it is called, how its client groups it, what is seen in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TextError, clean_text};

/// Where a file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Origin {
    /// Chosen by the user.
    Upload,
    /// Fetched from a URL.
    Remote,
    /// Made by a model.
    Generated,
    /// Pasted by the user.
    Pasted,
    /// A picture of the screen.
    Screenshot,
    /// Brought over from another system.
    Imported,
    /// Found by a crawl.
    Scraped,
}

impl Origin {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "UPLOAD",
            Self::Remote => "REMOTE",
            Self::Generated => "GENERATED",
            Self::Pasted => "PASTED",
            Self::Screenshot => "SCREENSHOT",
            Self::Imported => "IMPORTED",
            Self::Scraped => "SCRAPED",
        }
    }
}

/// How far a file has come. On the wire there are more names, which other systems use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AttachmentStatus {
    /// Announced.
    Requested,
    /// On its way.
    Uploading,
    /// Stored and checked.
    Ready,
    /// Ready, and part of a message.
    Attached,
    /// Will never be ready.
    Failed,
    /// Gone for its owner.
    Deleted,
}

impl AttachmentStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Uploading => "UPLOADING",
            Self::Ready => "READY",
            Self::Attached => "ATTACHED",
            Self::Failed => "FAILED",
            Self::Deleted => "DELETED",
        }
    }
}

macro_rules! client_name {
    ($(#[$doc:meta])* $name:ident $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// Empty, longer than 128 bytes, or not visible ASCII.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
                fits.then(|| Self(text.to_owned())).ok_or(TextError::Malformed {
                    what: $field,
                    right: "an id of at most 128 visible ASCII characters",
                })
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

client_name!(
    /// A client's name for one file before it has ours.
    DraftId "draftId"
);
client_name!(
    /// A client's name for the files of one message that is being written.
    BatchId "batchId"
);

/// What a file is called, without folders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FileName(String);

impl FileName {
    /// The longest name, in bytes of UTF-8: what file systems take.
    pub const MAX_BYTES: usize = 255;
    /// The longest name within a key.
    const MAX_KEY_CHARS: usize = 120;

    /// The last part of a path, whichever way its slashes lean; control characters become U+FFFD.
    ///
    /// # Errors
    /// Blank, `.`, `..`, or longer than [`FileName::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if matches!(last, "" | "." | "..") {
            return Err(TextError::Malformed { what: "filename", right: "the name of a file" });
        }
        if last.len() > Self::MAX_BYTES {
            let (what, bytes, max) = ("filename", last.len(), Self::MAX_BYTES);
            return Err(TextError::TooLong { what, bytes, max });
        }
        Ok(Self(clean_text(last.to_owned()).replace(char::is_control, "\u{FFFD}")))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a part of a key: nothing but `A-Z a-z 0-9 . _ -`, and of a long one the end, which has the extension.
    #[must_use]
    pub fn in_key(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let chars: Vec<char> = self.0.chars().map(|c| if plain(c) { c } else { '_' }).collect();
        chars[chars.len().saturating_sub(Self::MAX_KEY_CHARS)..].iter().collect()
    }
}

/// What is seen in a picture's own header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageDetails {
    /// Pixels across, as stored: `orientation` is not applied.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `png`, `jpeg`, `gif`, `webp`.
    pub format: String,
    /// The EXIF orientation, 1 to 8; absent when the file says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orientation: Option<u8>,
    /// Whether pixels may be transparent.
    pub has_alpha: bool,
    /// How many pictures follow each other; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u32>,
    /// `gray`, `rgb`, `palette`, `cmyk`; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_key(name: &str) -> String {
        FileName::parse(name).unwrap().in_key()
    }

    #[test]
    fn a_name_that_is_a_path_is_its_last_part() {
        for path in ["../../etc/passwd", "C:\\Users\\ann\\passwd", "/passwd", " passwd "] {
            assert_eq!(FileName::parse(path).unwrap().as_str(), "passwd");
        }
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for wrong in ["", " ", "a/", "..", "a/..", &"x".repeat(4096)] {
            assert!(FileName::parse(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_name_within_a_key_is_plain_and_keeps_its_extension() {
        assert_eq!(in_key("Grüße & Küsse.png"), "Gr__e___K_sse.png");
        assert_eq!(in_key("a\0\r\nb%2F?.pdf"), "a___b_2F_.pdf");
        let long = in_key(&format!("{}.jpeg", "x".repeat(200)));
        assert_eq!((long.len(), long.ends_with("x.jpeg")), (120, true));
    }
}
