//! Why the vault cannot be used. Names keys by their ids, never by what they are.

use slipstream_commands::ports::PortError;
use slipstream_eventlog::KeyRingUnavailable;
use uuid::Uuid;

use crate::cipher::TooLong;
use crate::master_keys::MasterId;

/// Why the vault did not answer.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Data keys are wrapped by master keys that are not set.
    #[error("vault.master_keys (ENCRYPTION_KEY) lacks {}", missing(.0))]
    MasterKeysMissing(Vec<(MasterId, i64)>),
    /// No master key is set, so no data key can be made.
    #[error("vault.master_keys (ENCRYPTION_KEY) is not set: nothing personal can be written")]
    NoMasterKey,
    /// A data key's wrapping is not what was written.
    #[error("data key {0} is damaged: it does not open with its master key")]
    Damaged(Uuid),
    /// The owner's key is destroyed.
    #[error("the owner's key is destroyed")]
    Erased,
    /// What should be sealed is larger than the cipher takes.
    #[error("more than the cipher takes at once")]
    TooLong,
    /// The database did not answer.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

fn missing(keys: &[(MasterId, i64)]) -> String {
    let each = keys.iter().map(|(id, count)| format!("master key {id}, which {count} data keys need"));
    each.collect::<Vec<_>>().join("; ")
}

impl From<TooLong> for VaultError {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

impl From<VaultError> for KeyRingUnavailable {
    fn from(error: VaultError) -> Self {
        Self(error.reason())
    }
}

impl From<VaultError> for PortError {
    fn from(error: VaultError) -> Self {
        Self { port: "vault", reason: error.reason() }
    }
}

impl VaultError {
    /// With its source, for errors that have none.
    fn reason(&self) -> String {
        match self {
            Self::Database(source) => format!("{self}: {source}"),
            Self::MasterKeysMissing(_)
            | Self::NoMasterKey
            | Self::Damaged(_)
            | Self::Erased
            | Self::TooLong => self.to_string(),
        }
    }
}
