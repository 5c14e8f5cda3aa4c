//! Where the bytes of files are. The log knows of them what [`BlobMeta`] says, and nothing of what is in them.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use slipstream_domain::{BlobKey, MediaType, Timestamp};

use super::{Disposition, PortError};

/// Bytes on their way, in pieces of any size. An error is the last item.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// What a store says of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobMeta {
    /// Bytes.
    pub size: u64,
    /// What it was stored as.
    pub mime: MediaType,
    /// The entity tag, with its quotes (RFC 9110, 8.8.3).
    pub etag: String,
    /// The version; `None` when the bucket keeps none.
    pub version_id: Option<String>,
    /// The store's own digest, `<algorithm>:<value>`; `None` when it has none.
    pub checksum: Option<String>,
    /// The store's class of storage; `None` for the usual one.
    pub storage_class: Option<String>,
}

/// Which blob: the newest under a key, or one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Where.
    pub key: BlobKey,
    /// Which version; `None` for the newest, and where there are no versions.
    pub version_id: Option<String>,
}

/// A blob that is being read.
pub struct BlobRead {
    /// What is read.
    pub meta: BlobMeta,
    /// Which bytes of it.
    pub range: Range<u64>,
    /// Those bytes.
    pub bytes: ByteStream,
}

/// A part of a blob, as a range request names it (RFC 9110, 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From this byte to the end.
    From(u64),
    /// From the first to the second byte, both included; cut at the end.
    Between(u64, u64),
    /// So many bytes at the end.
    Last(u64),
}

/// With what a client uploads a blob itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadInstructions {
    /// The HTTP method.
    pub method: &'static str,
    /// Where to; a secret until it expires.
    pub url: String,
    /// Headers the client must set. Its length is signed too; HTTP clients send that by themselves.
    pub headers: Vec<(String, String)>,
    /// For how long.
    pub expires_in: Duration,
}

/// A URL that shows a blob to whoever has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// The URL; a secret until it expires.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A blob found under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where.
    pub key: BlobKey,
    /// Bytes.
    pub size: u64,
}

/// Why a store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob, or no such version of it.
    #[error("no such blob")]
    NotFound,
    /// The range begins after the end.
    #[error("the blob has {size} bytes, and the range begins after them")]
    OutOfRange {
        /// Bytes of the blob.
        size: u64,
    },
    /// The bytes that were to be stored did not come to their end. Nothing was stored.
    #[error("the bytes to store broke off: {0}")]
    Source(#[source] io::Error),
    /// The store did not answer. A write **may have happened**.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

/// A store of blobs.
///
/// Laws: a blob is there whole or not at all, whatever happens while it is stored, and has the size and the type it was
/// stored with. What is stored under a key replaces what was there. A version, once seen, always has the same bytes, or is
/// not found. Deleting is idempotent, and takes every version that can still be read by its id. A signed URL works until it
/// expires, for what it was signed for: the method, the key, and on uploads the type and the length. Nothing is held whole
/// in memory.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// How a client stores `size` bytes of this type itself, within `expires_in`.
    async fn sign_upload(
        &self,
        key: &BlobKey,
        mime: &MediaType,
        size: u64,
        expires_in: Duration,
    ) -> Result<UploadInstructions, BlobError>;

    /// A URL to read a blob by, for `expires_in`. Does not look whether there is one.
    async fn sign_download(
        &self,
        blob: &Blob,
        disposition: &Disposition,
        expires_in: Duration,
    ) -> Result<SignedUrl, BlobError>;

    /// What the store has under a key: its newest version.
    async fn head(&self, key: &BlobKey) -> Result<BlobMeta, BlobError>;

    /// Reads a blob, or a part of it.
    async fn get(&self, blob: &Blob, range: Option<ByteRange>) -> Result<BlobRead, BlobError>;

    /// Stores bytes. When they break off with an error, so does this, and nothing is stored; see [`exactly`]. Cancelled,
    /// it stores nothing.
    async fn put(&self, key: &BlobKey, mime: &MediaType, bytes: ByteStream) -> Result<BlobMeta, BlobError>;

    /// Stores what is under one key under another too, within the store.
    async fn copy(&self, from: &Blob, to: &BlobKey) -> Result<BlobMeta, BlobError>;

    /// Removes what is under a key; nothing there is no error.
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError>;

    /// The blobs whose keys begin with `prefix`, in the order of their keys' bytes, after `after`, at most `limit`.
    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u16,
    ) -> Result<Vec<Listed>, BlobError>;
}

impl Blob {
    /// The newest version under a key.
    #[must_use]
    pub fn newest(key: BlobKey) -> Self {
        Self { key, version_id: None }
    }
}

impl ByteRange {
    /// The bytes this is of a blob of so many; `None` when it has none of them.
    #[must_use]
    pub fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => first..size,
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// More or fewer bytes than there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there should be {least} to {most} bytes")]
pub struct WrongLength {
    /// How many have come; more than `most` when there may be more still.
    pub seen: u64,
    /// How many at the least.
    pub least: u64,
    /// How many at the most.
    pub most: u64,
}

/// The same bytes; breaks off with [`WrongLength`] as soon as there are more than `expected`, or when they end with fewer.
#[must_use]
pub fn exactly(expected: u64, bytes: ByteStream) -> ByteStream {
    counted(expected..=expected, bytes)
}

/// The same bytes; breaks off with [`WrongLength`] as soon as there are more than `most`, or when there is none.
#[must_use]
pub fn at_most(most: u64, bytes: ByteStream) -> ByteStream {
    counted(1..=most, bytes)
}

fn counted(right: RangeInclusive<u64>, bytes: ByteStream) -> ByteStream {
    let (least, most) = right.into_inner();
    let wrong =
        move |seen| Err(io::Error::new(io::ErrorKind::InvalidData, WrongLength { seen, least, most }));
    futures::stream::unfold(Some((bytes, 0_u64)), move |state| async move {
        let (mut bytes, before) = state?;
        match bytes.next().await {
            Some(Ok(piece)) => {
                let so_far = before.saturating_add(piece.len() as u64);
                if so_far > most {
                    Some((wrong(so_far), None))
                } else {
                    Some((Ok(piece), Some((bytes, so_far))))
                }
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if before < least => Some((wrong(before), None)),
            None => None,
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    async fn limited(expected: u64, pieces: &[&'static str]) -> io::Result<Vec<u8>> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let whole = exactly(expected, futures::stream::iter(pieces).boxed());
        whole.try_fold(Vec::new(), async |whole, piece| Ok([whole, piece.to_vec()].concat())).await
    }

    #[tokio::test]
    async fn bytes_of_the_right_length_pass_and_others_break_off() {
        assert_eq!(limited(5, &["ab", "", "cde"]).await.unwrap(), b"abcde");
        assert_eq!(limited(0, &[]).await.unwrap(), b"");
        for wrong in [&["ab"][..], &["abc", "def"], &["abcdef"]] {
            let error = limited(5, wrong).await.unwrap_err();
            assert_eq!(error.to_string(), "there should be 5 to 5 bytes");
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end_and_none_beyond_it() {
        assert_eq!(ByteRange::From(3).within(5), Some(3..5));
        assert_eq!(ByteRange::Between(1, u64::MAX).within(5), Some(1..5));
        assert_eq!(ByteRange::Last(9).within(5), Some(0..5));
        for beyond in
            [ByteRange::From(5), ByteRange::Between(7, 8), ByteRange::Between(2, 1), ByteRange::Last(0)]
        {
            assert_eq!(beyond.within(5), None);
        }
        assert_eq!(ByteRange::Last(1).within(0), None);
    }
}
