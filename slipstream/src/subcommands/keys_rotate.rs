//! `slipstream keys rotate`: every data key under the first master key.

use std::process::ExitCode;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;

pub(crate) const ABOUT: &str = "\
Encrypt every data key with the first master key.

To change the master key: put a new one in front of ENCRYPTION_KEY and restart every process, run this, take the old one away
and restart them again. What is encrypted under the data keys is not touched, so the service goes on meanwhile.";

/// # Errors
/// A master key that is needed is not set; whatever keeps a database from being written.
pub(crate) async fn run(config: &Config, database: &DatabaseOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, database)?;
    let rotated = visit::write(config, &place, async |visit, _| Ok(visit.vault.rotate().await?)).await?;
    let Some(rotated) = rotated else { return Ok(ExitCode::FAILURE) };
    let mut output = Output::open();
    output.line(format_args!(
        "{rotated} data keys are encrypted with the first master key now, and all others were"
    ))?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
