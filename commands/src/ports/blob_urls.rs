//! Signed URLs that lead to this server itself, of a store that has no server of its own.

use slipstream_domain::{BlobKey, MediaType};

use super::Blob;

/// What a signed URL allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// To store exactly so many bytes of this type.
    Upload {
        /// Where.
        key: BlobKey,
        /// As what.
        mime: MediaType,
        /// How many.
        size: u64,
    },
    /// To read a blob.
    Download {
        /// Which.
        blob: Blob,
        /// The value of `Content-Disposition`.
        disposition: String,
    },
}

/// Why a URL allows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    /// Not signed here, or not for this, or changed since.
    #[error("the URL's signature does not fit it")]
    Altered,
    /// Its time is over.
    #[error("the URL has expired")]
    Expired,
}

/// The checker of such URLs.
///
/// Laws: only what was signed here is allowed, for as long as it was signed for; how long a check takes says nothing of how
/// much of a signature is right.
pub trait BlobUrls: Send + Sync {
    /// What the URL `/blobs<path>?<query>`, as it came over the wire, allows with this method. `HEAD` is asked for as `GET`.
    ///
    /// # Errors
    /// See [`UrlRefusal`].
    fn check(&self, method: &str, path: &str, query: &str) -> Result<Grant, UrlRefusal>;
}
