//! What a blob's file says at its end: JSON, the JSON's length in four bytes (big-endian), and eight bytes that name the
//! format. At the end, because the digest is known only then, and because other programs still open the file.

use serde::{Deserialize, Serialize};
use slipstream_domain::MediaType;

const MAGIC: [u8; 8] = *b"slipblob";
/// The length and the magic.
pub(super) const TAIL: usize = 4 + MAGIC.len();
/// No footer of ours is longer: a media type has 255 bytes at most, a digest 64.
const LONGEST: u32 = 1024;

/// What a blob's file says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) mime: MediaType,
    /// Of the content, in hex.
    pub(super) sha256: String,
}

impl Footer {
    /// The stored form.
    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&MAGIC);
        Ok(bytes)
    }

    /// The JSON's length out of a file's last [`TAIL`] bytes; `None` when the file is no blob's.
    pub(super) fn length(tail: [u8; TAIL]) -> Option<u32> {
        let (length, magic) = tail.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length);
        (magic == MAGIC && length <= LONGEST).then_some(length)
    }

    pub(super) fn decode(json: &[u8]) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(json)?)
    }

    /// Half of the digest: enough to tell contents apart.
    pub(super) fn version_id(&self) -> &str {
        self.sha256.get(..32).unwrap_or(&self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_reads_back_and_other_ends_are_none() {
        let mime = MediaType::parse("image/png").unwrap();
        let footer = Footer { mime, sha256: "ab".repeat(32) };
        let bytes = footer.encode().unwrap();
        let tail: [u8; TAIL] = *bytes.last_chunk().unwrap();
        let length = Footer::length(tail).unwrap() as usize;
        assert_eq!(length + TAIL, bytes.len());
        assert_eq!(Footer::decode(&bytes[..length]).unwrap(), footer);
        assert_eq!(footer.version_id(), "ab".repeat(16));
        assert_eq!(Footer::length(*b"\xff\xff\xff\xffslipblob"), None);
        assert_eq!(Footer::length([0; TAIL]), None);
    }
}
