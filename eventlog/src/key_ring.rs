//! The port through which personal halves are sealed and opened. The log knows no cipher and no key.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{OwnerId, Unsealed};

/// Seals and opens the personal halves of events.
///
/// Laws: what was sealed opens to the same bytes while its key lives; opening anything under another `aad` or
/// `key_id` answers [`Forged`]; once an owner's key is destroyed, sealing answers [`SealError::Erased`] and
/// opening [`Unsealed::Erased`], for ever; answers stand in the order of the items. The ring authenticates
/// `key_id ‖ aad`, the key id as its 16 bytes. Both methods are cancel-safe.
#[async_trait]
pub trait KeyRing: Send + Sync {
    /// Seals all items with the owner's current key (the system's if there is no owner).
    async fn seal(
        &self,
        owner: Option<OwnerId>,
        items: Vec<SealRequest>,
    ) -> Result<Vec<SealedBytes>, SealError>;

    /// Opens items of any owners and keys.
    async fn unseal(
        &self,
        items: Vec<UnsealRequest>,
    ) -> Result<Vec<Result<Unsealed, Forged>>, KeyRingUnavailable>;
}

/// Bytes to be sealed.
#[derive(Debug)]
pub struct SealRequest {
    /// What they are bound to.
    pub aad: Vec<u8>,
    /// The bytes.
    pub plaintext: Vec<u8>,
}

/// Bytes after sealing.
#[derive(Debug)]
pub struct SealedBytes {
    /// The key they are sealed with; nil for the null cipher.
    pub key_id: Uuid,
    /// Ciphertext with all that is needed to open it but the key.
    pub bytes: Vec<u8>,
}

/// Bytes to be opened.
#[derive(Debug)]
pub struct UnsealRequest {
    /// Whose they are.
    pub owner: Option<OwnerId>,
    /// The key they were sealed with.
    pub key_id: Uuid,
    /// What they are bound to.
    pub aad: Vec<u8>,
    /// As [`SealedBytes::bytes`].
    pub bytes: Vec<u8>,
}

/// The bytes are not what was sealed, or not where it was sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the bytes that were sealed")]
pub struct Forged;

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The owner's key is destroyed.
    #[error("the owner's key is destroyed")]
    Erased,
    /// The ring did not answer.
    #[error(transparent)]
    Unavailable(#[from] KeyRingUnavailable),
}

/// The ring did not answer; the message names no key and no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key ring is unavailable: {0}")]
pub struct KeyRingUnavailable(pub String);

/// The null cipher: key id nil, bytes as they are. Events written with it stay readable for ever, so every
/// other ring hands key id nil to this one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullKeyRing;

#[async_trait]
impl KeyRing for NullKeyRing {
    async fn seal(&self, _: Option<OwnerId>, items: Vec<SealRequest>) -> Result<Vec<SealedBytes>, SealError> {
        Ok(items.into_iter().map(|item| SealedBytes { key_id: Uuid::nil(), bytes: item.plaintext }).collect())
    }

    async fn unseal(
        &self,
        items: Vec<UnsealRequest>,
    ) -> Result<Vec<Result<Unsealed, Forged>>, KeyRingUnavailable> {
        let open = |item: UnsealRequest| {
            if item.key_id.is_nil() { Ok(Unsealed::Open(item.bytes)) } else { Err(Forged) }
        };
        Ok(items.into_iter().map(open).collect())
    }
}
