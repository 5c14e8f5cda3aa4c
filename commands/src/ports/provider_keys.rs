//! People's own keys of providers.

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_domain::{KeyId, ProviderId, Timestamp, UserId};

use super::PortError;

/// What may be said of a key that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Of which provider.
    pub provider: ProviderId,
    /// Which; another one for every key that is put.
    pub key_id: KeyId,
    /// Tells two keys apart, and nothing else.
    pub fingerprint: String,
    /// The master key that its data key was wrapped with when it was put.
    pub master_key_id: String,
    /// Whether the user asks this provider when they name none.
    pub is_default: bool,
    /// When it was put.
    pub stored_at: Timestamp,
}

/// The keys themselves, encrypted.
///
/// Laws: one key a user and provider, the one put last; at most one is the default; a key is part of no answer and of no
/// error. What is used is asked for through [`KeyVault`](super::KeyVault).
#[async_trait]
pub trait ProviderKeys: Send + Sync {
    /// Keeps a key in place of the one before.
    async fn put(
        &self,
        user: UserId,
        provider: &ProviderId,
        key: &SecretString,
        is_default: bool,
    ) -> Result<StoredKey, PortError>;

    /// The user's keys, by provider.
    async fn list(&self, user: UserId) -> Result<Vec<StoredKey>, PortError>;

    /// Removes the user's key of a provider: which it was; `None` when there is none.
    async fn remove(&self, user: UserId, provider: &ProviderId) -> Result<Option<KeyId>, PortError>;
}
