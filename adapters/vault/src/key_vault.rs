//! Whose key pays: the user's own, if they have one of the provider, else the server's.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{KeyVault, PortError};
use slipstream_domain::{KeySource, ProviderId, UserId};

use crate::provider_keys::VaultProviderKeys;

/// Own keys before the server's.
pub struct OwnKeysFirst {
    own: VaultProviderKeys,
    server: Arc<dyn KeyVault>,
}

impl OwnKeysFirst {
    /// `server`: who has the server's keys.
    #[must_use]
    pub fn new(own: VaultProviderKeys, server: Arc<dyn KeyVault>) -> Self {
        Self { own, server }
    }
}

#[async_trait]
impl KeyVault for OwnKeysFirst {
    async fn source(&self, user: UserId, provider: &ProviderId) -> Result<KeySource, PortError> {
        match self.own.current(user, provider).await? {
            Some(key_id) => Ok(KeySource::Own { key_id }),
            None => self.server.source(user, provider).await,
        }
    }

    async fn key(
        &self,
        user: UserId,
        provider: &ProviderId,
        source: KeySource,
    ) -> Result<Option<SecretString>, PortError> {
        match source {
            KeySource::Own { key_id } => match self.own.open(user, provider, key_id).await? {
                Some(key) => Ok(Some(key)),
                None => Err(PortError {
                    port: "key vault",
                    reason: format!("the user's key {key_id} of {provider} is not kept any more"),
                }),
            },
            KeySource::Server | KeySource::None => self.server.key(user, provider, source).await,
        }
    }
}
