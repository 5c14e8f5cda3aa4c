//! Keys and what is sealed with them, in PostgreSQL's schema `vault`: one data key a person, wrapped by a master key.
//!
//! The second truth beside the log: nothing here can be rebuilt. A key in the clear exists only in memory, is wiped when
//! it is dropped, and is part of no error.

mod cache;
mod cipher;
mod data_keys;
mod error;
mod key_ring;
mod key_vault;
mod master_keys;
mod original;
mod provider_keys;
mod sessions;
mod tickets;
mod tokens;
mod user_vault;
mod vault;

pub use error::VaultError;
pub use key_ring::VaultKeyRing;
pub use key_vault::OwnKeysFirst;
pub use master_keys::{MasterId, MasterKeyError, MasterKeys};
pub use original::OriginalCiphertext;
pub use provider_keys::VaultProviderKeys;
pub use sessions::VaultSessions;
pub use tickets::VaultTickets;
pub use vault::Vault;
