//! Where signatures over the log are kept: anywhere but in its database, so that who changes that cannot change them too.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use slipstream_domain::{BlobKey, MediaType};
use slipstream_eventlog::Signature;

use super::{Blob, BlobStore, PortError};

const PORT: &str = "the store of signatures";
/// What the keys of signatures begin with, in a bucket that may hold other things.
const PREFIX: &str = "signatures/";
/// Names read at a time.
const PAGE: u16 = 1000;

/// Keeps signatures over the log.
///
/// Laws: what was kept is there, whole and unchanged, when `keep` has answered; keeping it again changes nothing.
#[async_trait]
pub trait Signatures: Send + Sync {
    /// Keeps a signature.
    async fn keep(&self, signature: &Signature) -> Result<(), PortError>;

    /// All that are kept, in the order of their batches within a day. What is no signature is an error that names it: it may be
    /// one that somebody has damaged.
    async fn all(&self) -> Result<Vec<Signature>, PortError>;
}

/// Signatures in a bucket of the store that has the files.
pub struct BlobSignatures {
    blobs: Arc<dyn BlobStore>,
    bucket: String,
}

impl BlobSignatures {
    /// In this bucket, below `signatures/`.
    #[must_use]
    pub fn new(blobs: Arc<dyn BlobStore>, bucket: String) -> Self {
        Self { blobs, bucket }
    }

    async fn read(&self, key: BlobKey) -> Result<Signature, PortError> {
        let name = key.key().to_owned();
        let read = self.blobs.get(&Blob::newest(key), None).await.map_err(broken)?;
        let bytes: Vec<Bytes> = read.bytes.try_collect().await.map_err(broken)?;
        serde_json::from_slice(&bytes.concat())
            .map_err(|error| broken(format_args!("{name} is no signature: {error}")))
    }
}

#[async_trait]
impl Signatures for BlobSignatures {
    async fn keep(&self, signature: &Signature) -> Result<(), PortError> {
        let key = format!("{PREFIX}{}", signature.file_name());
        let key = BlobKey::parse(&self.bucket, &key).map_err(broken)?;
        let mime = MediaType::parse("application/json").map_err(broken)?;
        let bytes = Bytes::from(serde_json::to_vec_pretty(signature).map_err(broken)?);
        self.blobs.put(&key, &mime, stream::iter([Ok(bytes)]).boxed()).await.map(drop).map_err(broken)
    }

    async fn all(&self) -> Result<Vec<Signature>, PortError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.blobs.list(&self.bucket, PREFIX, after.as_deref(), PAGE).await.map_err(broken)?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.key.key().to_owned());
            for listed in page {
                all.push(self.read(listed.key).await?);
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(reason: impl ToString) -> PortError {
    PortError { port: PORT, reason: reason.to_string() }
}
