//! The ports that use cases and their callers need. Each states its laws; `testkit::laws` checks every adapter.

mod blob_store;
mod blob_urls;
mod clock;
mod disposition;
mod documents;
mod job_queue;
mod key_vault;
mod live_bus;
mod pictures;
mod provider_keys;
mod sessions;
mod signatures;
mod token_check;
mod user_vault;
mod web;

pub use blob_store::{
    Blob, BlobError, BlobMeta, BlobRead, BlobStore, ByteRange, ByteStream, Listed, SignedUrl,
    UploadInstructions, WrongLength, at_most, exactly,
};
pub use blob_urls::{BlobUrls, Grant, UrlRefusal};
pub use clock::{Clock, Ids};
pub use disposition::Disposition;
pub use documents::{DocumentFacts, Documents};
pub use job_queue::{Delivery, Job, JobQueue};
pub use key_vault::KeyVault;
pub use live_bus::{BusEvent, FileNews, LiveBus, LiveMessage, Subject, Subscription};
pub use pictures::{NewPicture, Pictures};
pub use provider_keys::{ProviderKeys, StoredKey};
pub use sessions::{IssuedTicket, OpenedSession, SessionSummary, Sessions, SignedIn, Tickets};
pub use signatures::{BlobSignatures, Signatures};
pub use token_check::{TokenCheck, TokenClaims, TokenError, TokenSubject};
pub use user_vault::UserVault;
pub use web::{FetchError, RemoteFile, SourceUrl, Web};

/// A port did not answer. The message names no key and no content.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{port} is unavailable: {reason}")]
pub struct PortError {
    /// Which port.
    pub port: &'static str,
    /// Why, for the operator.
    pub reason: String,
}
