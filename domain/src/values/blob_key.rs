//! Where a file's bytes are: a bucket and a key in it. Says nothing of which store has the bucket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextError;

/// A bucket's name and a key in it. Both are safe as folders of a file system: no part is empty, `.` or `..`, or begins
/// with a dot; no backslash, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct BlobKey {
    bucket: String,
    key: String,
}

impl BlobKey {
    /// The longest key, in bytes of UTF-8: S3's.
    pub const MAX_BYTES: usize = 1024;
    /// The longest part of a key between slashes: what file systems take.
    const MAX_PART: usize = 255;

    /// # Errors
    /// A bucket that is not of 1 to 63 lower-case letters, digits, `-` or `.`; a key that is empty, longer than
    /// [`BlobKey::MAX_BYTES`], or has a part that is no plain name.
    pub fn parse(bucket: &str, key: &str) -> Result<Self, TextError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
        if !(1..=63).contains(&bucket.len()) || !bucket.bytes().all(allowed) || bucket.starts_with('.') {
            return Err(TextError::Malformed { what: "bucket", right: "a bucket's name, such as my-assets" });
        }
        if key.len() > Self::MAX_BYTES || !key.split('/').all(is_plain_name) {
            return Err(TextError::Malformed { what: "key", right: "names with / between them" });
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key within the bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn is_plain_name(part: &str) -> bool {
    (1..=BlobKey::MAX_PART).contains(&part.len())
        && !part.starts_with('.')
        && !part.contains(|c: char| c.is_control() || c == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_path_that_leads_nowhere_else() {
        assert!(BlobKey::parse("assets", "upload/0190/1-a.png").is_ok());
        let long = "a/".repeat(600);
        for key in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "a/.hidden", "a\\b", "a\0b", "a\nb", &long] {
            assert!(BlobKey::parse("assets", key).is_err(), "{key:?} was taken");
        }
    }

    #[test]
    fn a_bucket_is_one_name() {
        for bucket in ["", ".", "..", "a/b", "A", "a b", &"a".repeat(64)] {
            assert!(BlobKey::parse(bucket, "a").is_err(), "{bucket:?} was taken");
        }
    }
}
