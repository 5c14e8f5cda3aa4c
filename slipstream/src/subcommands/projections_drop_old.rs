//! `slipstream projections drop-old`: away with the tables that are read no longer.

use std::process::ExitCode;

use clap::Args;
use slipstream_eventlog::EventLog;
use slipstream_projections::{READ_MODELS, ReadModel, drop_retired};

use super::read_model;
use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;

/// Whose.
#[derive(Debug, Args)]
pub(crate) struct DropOldOptions {
    /// The read model, as `slipstream projections status` names it; all of them when none is named.
    name: Option<String>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Remove the tables of read models that were read once and are no longer: what `projections status` calls retired.

Waits until every transaction has ended that may still be reading them, for half a minute at most. Processes of an older
version, which may still fill them, must be stopped before. Run it after an update, too: what is retired and of an older
version is filled by nobody, and keeps what was deleted since.";

/// # Errors
/// There is no such read model; somebody still reads it; the database does not answer.
pub(crate) async fn run(config: &Config, options: &DropOldOptions) -> anyhow::Result<ExitCode> {
    let models = match &options.name {
        Some(name) => vec![read_model(name)?],
        None => READ_MODELS.iter().collect(),
    };
    let place = Place::of(config, &options.database)?;
    let done = visit::read(config, &place, async |log| drop_all(log, &models).await).await?;
    Ok(if done.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn drop_all(log: &EventLog, models: &[&ReadModel]) -> anyhow::Result<()> {
    let mut output = Output::open();
    let mut dropped = 0;
    for model in models {
        for projector in drop_retired(log, model).await? {
            output.line(format_args!("{} v{} is removed", projector.name, projector.version))?;
            output.flush()?;
            dropped += 1;
        }
    }
    if dropped == 0 {
        output.line("nothing is retired")?;
    }
    output.flush()?;
    Ok(())
}
