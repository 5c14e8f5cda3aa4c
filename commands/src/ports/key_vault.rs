//! Whose key pays for a request, and the key itself.

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_domain::{KeySource, ProviderId, UserId};

use super::PortError;

/// Provider keys.
///
/// Laws: [`KeyVault::key`] answers with the key that [`KeyVault::source`] named, or with an error; it never falls back to
/// another owner's key. A key is never part of an error.
#[async_trait]
pub trait KeyVault: Send + Sync {
    /// Whose key a request of this user to this provider uses. `KeySource::None` when nobody has one.
    async fn source(&self, user: UserId, provider: &ProviderId) -> Result<KeySource, PortError>;

    /// The key a generation was requested with; `None` for `KeySource::None`.
    async fn key(
        &self,
        user: UserId,
        provider: &ProviderId,
        source: KeySource,
    ) -> Result<Option<SecretString>, PortError>;
}
