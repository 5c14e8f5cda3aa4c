//! What the gateway needs to let people in and to keep their own keys of providers.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{ProviderKeys, Sessions, Tickets};
use slipstream_domain::ProviderId;

/// Sessions and keys of people. A gateway without them answers what needs them with `not_found`.
#[derive(Clone)]
pub struct Accounts {
    /// Who is signed in.
    pub sessions: Arc<dyn Sessions>,
    /// Tickets for sockets.
    pub tickets: Arc<dyn Tickets>,
    /// People's own keys of providers.
    pub provider_keys: Arc<dyn ProviderKeys>,
    /// Whether a provider takes a key.
    pub key_check: Arc<dyn KeyCheck>,
    /// What a service shows that signs people in; nobody may without.
    pub service_token: Option<SecretString>,
}

/// Asks providers about keys.
///
/// Laws: no answer holds the key.
#[async_trait]
pub trait KeyCheck: Send + Sync {
    /// Whether `provider` takes `key`. May be dropped half-way.
    ///
    /// # Errors
    /// It does not, or it cannot be told.
    async fn check(&self, provider: &ProviderId, key: &SecretString) -> Result<(), KeyCheckError>;
}

/// Why a key is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyCheckError {
    /// The provider refuses it, or it cannot be one.
    #[error("{0}")]
    Refused(String),
    /// The provider does not answer as it should.
    #[error("{0}")]
    Untold(String),
}
