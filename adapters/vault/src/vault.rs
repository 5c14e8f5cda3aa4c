//! The vault as its users hold it.

use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;

use crate::data_keys::DataKeys;
use crate::error::VaultError;
use crate::key_ring::VaultKeyRing;
use crate::master_keys::MasterKeys;

/// The vault of one migrated database. Cheap to clone; clones share one cache of keys.
#[derive(Clone)]
pub struct Vault {
    keys: DataKeys,
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
    /// A master key is missing that data keys need; no master key is set; the database does not answer.
    pub async fn open(pool: PgPool, masters: MasterKeys) -> Result<Self, VaultError> {
        let first = masters.first().is_some();
        let vault = Self::new(pool, masters);
        let missing = vault.keys.missing_masters().await?;
        if !missing.is_empty() {
            return Err(VaultError::MasterKeysMissing(missing));
        }
        if first { Ok(vault) } else { Err(VaultError::NoMasterKey) }
    }

    /// Seals and opens the personal halves of events.
    #[must_use]
    pub fn key_ring(&self) -> VaultKeyRing {
        VaultKeyRing::new(self.keys.clone())
    }

    /// Destroys a person's key for ever, and with it everything that was sealed for them; their provider keys, sessions
    /// and tickets go in the same transaction. Doing it again changes nothing. Other processes notice within 60 s.
    ///
    /// # Errors
    /// The database does not answer; it may have been done.
    pub async fn destroy(&self, owner: Uuid) -> Result<(), VaultError> {
        self.keys.destroy(owner).await
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
