//! What is the caller's to put right before the same command can work: exit code 2, as clap's own.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::surroundings::Unsettled;

/// The command line or a setting asks for what cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// 2 for what the command line or a setting has wrong, 1 for all else.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let wrong_setting =
        matches!(error.downcast_ref(), Some(Unsettled::Config(_))) || error.is::<ConfigError>();
    let usage = error.is::<Usage>() || wrong_setting;
    if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
}
