//! How the log is signed, and where signatures go.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::settings::no_secret;

/// Signatures over the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Audit {
    /// What signs, an Ed25519 seed; without one nothing is signed.
    #[serde(serialize_with = "no_secret")]
    pub(crate) signing_key: Option<SecretString>,
    /// The folder that signatures go to; `None`: one below the data folder, if there is no bucket either.
    pub(crate) signatures_folder: Option<PathBuf>,
    /// The bucket they go to, in the store of files.
    pub(crate) signatures_bucket: Option<String>,
}
