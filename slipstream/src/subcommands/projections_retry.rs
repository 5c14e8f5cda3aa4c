//! `slipstream projections retry`: another try at what a read model has set aside.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use slipstream_eventlog::parked::{self, Parked};
use slipstream_eventlog::{CorrelationId, EventLog, ProjectorId};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::config::{Config, did_you_mean};
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;

/// What to retry.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RetryOptions {
    /// The read model, as `slipstream projections status` names it.
    name: String,
    /// The conversation that is parked; all that are when none is named.
    #[arg(value_name = "CONVERSATION")]
    correlation: Option<Uuid>,
    /// Wait until it was tried, at most a minute. Exit code 1 when something is parked again, or nobody has tried.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Ask for another try at what a read model has set aside.

The process that runs the read model looks for such requests once a second. It reads the conversation again from the event
it was parked at, in one transaction: either it is whole again, or it is parked again with a new error.";

const EXAMPLES: &str = "\
Examples:
  slipstream projections retry transcript --wait
  slipstream projections retry transcript 01990000-0000-7000-8000-000000000000";

/// How long to wait for the try.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// # Errors
/// There is no such read model; the conversation is not parked; the database does not answer; what is said of `--wait`.
pub(crate) async fn run(config: &Config, options: &RetryOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let done = visit::read(config, &place, async |log| retry(log, options).await).await?;
    Ok(if done.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn retry(log: &EventLog, options: &RetryOptions) -> anyhow::Result<()> {
    let mut output = Output::open();
    let correlation = options.correlation.map(CorrelationId::from_uuid);
    let versions = versions(log, &options.name).await?;
    let mut asked = 0;
    for version in &versions {
        asked += parked::request_retry(log.pool(), version, correlation).await?;
    }
    match (asked, correlation) {
        (0, Some(correlation)) => bail!("{correlation} is not parked by {}", options.name),
        (0, None) => output.line(format_args!("nothing is parked by {}", options.name))?,
        (_, _) => output
            .line(format_args!("{asked} to be tried again by the process that runs {}", options.name))?,
    }
    output.flush()?;
    if options.wait && asked > 0 {
        until_tried(log, &versions, correlation).await?;
        output.line("done: nothing of it is parked any more")?;
        output.flush()?;
    }
    Ok(())
}

async fn versions(log: &EventLog, name: &str) -> anyhow::Result<Vec<ProjectorId>> {
    let all: Vec<_> = log.projectors().await?.into_iter().map(|status| status.projector).collect();
    let versions: Vec<_> = all.iter().filter(|projector| &*projector.name == name).cloned().collect();
    if versions.is_empty() {
        bail!(
            "there is no read model {name}{}",
            did_you_mean(name, all.iter().map(|projector| &*projector.name))
        );
    }
    Ok(versions)
}

async fn until_tried(
    log: &EventLog,
    versions: &[ProjectorId],
    correlation: Option<CorrelationId>,
) -> anyhow::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let mut left: Vec<Parked> = Vec::new();
        for version in versions {
            let parked = parked::list(log.pool(), version).await.context("the result cannot be seen")?;
            left.extend(
                parked.into_iter().filter(|parked| correlation.is_none_or(|one| one == parked.correlation)),
            );
        }
        if left.is_empty() {
            return Ok(());
        }
        if !left.iter().any(|parked| parked.retry_requested) {
            let errors: Vec<_> =
                left.iter().map(|parked| format!("{}: {}", parked.correlation, parked.error)).collect();
            bail!("parked again:\n{}", errors.join("\n"));
        }
        if Instant::now() >= give_up {
            bail!(
                "nobody has tried within a minute: does a projector run? See `slipstream projections status`"
            );
        }
        sleep(LOOK_EVERY).await;
    }
}
