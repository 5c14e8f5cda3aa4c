//! The vault as its users hold it.

use std::sync::Arc;

use secrecy::SecretString;
use sqlx::PgPool;

use crate::data_keys::DataKeys;
use crate::error::VaultError;
use crate::key_ring::VaultKeyRing;
use crate::master_keys::MasterKeys;
use crate::original::OriginalCiphertext;
use crate::provider_keys::VaultProviderKeys;
use crate::sessions::VaultSessions;
use crate::tickets::VaultTickets;

/// The vault of one migrated database. Cheap to clone; clones share one cache of keys.
#[derive(Clone)]
pub struct Vault {
    pub(crate) keys: DataKeys,
}

impl Vault {
    /// The vault, whatever master keys are there: what needs another one is an error when it is asked for. For those who
    /// only look at a database.
    #[must_use]
    pub fn new(pool: PgPool, masters: MasterKeys) -> Self {
        Self { keys: DataKeys::new(pool, Arc::new(masters)) }
    }

    /// The vault, ready for everything that is asked of it.
    ///
    /// # Errors
    /// See [`Vault::check`].
    pub async fn open(pool: PgPool, masters: MasterKeys) -> Result<Self, VaultError> {
        let vault = Self::new(pool, masters);
        vault.check().await?;
        Ok(vault)
    }

    /// Whether it is ready for everything that is asked of it.
    ///
    /// # Errors
    /// A master key is missing that data keys need; no master key is set; the database does not answer.
    pub async fn check(&self) -> Result<(), VaultError> {
        let missing = self.keys.missing_masters().await?;
        if !missing.is_empty() {
            return Err(VaultError::MasterKeysMissing(missing));
        }
        if self.keys.can_wrap() { Ok(()) } else { Err(VaultError::NoMasterKey) }
    }

    /// People's own keys of providers.
    #[must_use]
    pub fn provider_keys(&self) -> VaultProviderKeys {
        VaultProviderKeys::new(self.keys.clone())
    }

    /// Who is signed in.
    #[must_use]
    pub fn sessions(&self) -> VaultSessions {
        VaultSessions::new(self.keys.pool().clone())
    }

    /// Tickets for sockets.
    #[must_use]
    pub fn tickets(&self) -> VaultTickets {
        VaultTickets::new(self.keys.pool().clone())
    }

    /// A key of a provider that the TypeScript Slipstream encrypted; `None` when no master key opens it.
    #[must_use]
    pub fn open_original(&self, sealed: &OriginalCiphertext) -> Option<SecretString> {
        self.keys.masters().open_original(sealed)
    }

    /// Seals and opens the personal halves of events.
    #[must_use]
    pub fn key_ring(&self) -> VaultKeyRing {
        VaultKeyRing::new(self.keys.clone())
    }

    /// Wraps every data key with the first master key, and says how many were wrapped by another before. The keys stay the
    /// same: what is sealed is not touched, and nobody has to wait. Done halfway, it can be done again.
    ///
    /// # Errors
    /// A master key that is still needed, or any, is missing; the database does not answer.
    pub async fn rotate(&self) -> Result<u64, VaultError> {
        self.keys.rewrap().await
    }
}
