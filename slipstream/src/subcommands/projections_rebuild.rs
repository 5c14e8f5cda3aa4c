//! `slipstream projections rebuild`: read models built anew from the log, beside those that are read.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use slipstream_eventlog::{EventLog, ProjectorId, ProjectorState, ProjectorStatus};
use slipstream_projections::{READ_MODELS, ReadModel, Rebuild, start_rebuild};
use tokio::time::{Instant, sleep};

use super::read_model;
use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit::{self, Visit};

/// What to rebuild.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RebuildOptions {
    /// The read model, as `slipstream projections status` names it.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Build read models anew from the log, while commands and queries go on.

Empty tables are made beside those that are read, and filled from the first event on, by this command or by a process that
runs projectors, whichever is first. Once they have everything that the old ones have, queries read them; no query fails.
The old ones stay, and are kept up to date, until `slipstream projections drop-old`. A rebuild that is cut short goes on
when a projector runs, or with this command again. It works also when the old tables are gone.";

const EXAMPLES: &str = "\
Examples:
  slipstream projections rebuild transcript
  slipstream projections rebuild --all && slipstream projections drop-old";

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// # Errors
/// There is no such read model; the database does not answer.
pub(crate) async fn run(config: &Config, options: &RebuildOptions) -> anyhow::Result<ExitCode> {
    let models = match &options.name {
        Some(name) => vec![read_model(name)?],
        None => READ_MODELS.iter().collect(),
    };
    let place = Place::of(config, &options.database)?;
    place.must_exist()?;
    let done = visit::visit(config, &place, async |visit| {
        visit::must_be_migrated(&visit.pool).await?;
        rebuild(visit, &models).await
    });
    if done.await?.is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("slipstream: stopped; the rebuild goes on when a projector runs, or with this command again");
    Ok(ExitCode::FAILURE)
}

async fn rebuild(visit: &Visit, models: &[&ReadModel]) -> anyhow::Result<()> {
    let log = visit.log();
    let mut rebuilds = Vec::new();
    for model in models {
        let rebuild = start_rebuild(&log, model).await?;
        if rebuild.resumed {
            let ProjectorId { name, version } = &rebuild.projector;
            eprintln!("slipstream: {name} v{version} is being built already; this waits for it");
        }
        rebuilds.push(rebuild);
    }
    visit.start_read_models(&log);
    let began = Instant::now();
    until_read(&log, &rebuilds).await?;
    summarise(&log, &rebuilds, began.elapsed()).await
}

/// Shows how far they are, together, until queries read them all.
async fn until_read(log: &EventLog, rebuilds: &[Rebuild]) -> anyhow::Result<()> {
    let bar = bar();
    loop {
        let all = log.projectors().await?;
        // Read after the checkpoints, so that none is ahead of it.
        let head = log.head().await?.position.get().unsigned_abs();
        let of_ours = built(&all, rebuilds);
        bar.set_length(head * rebuilds.len() as u64);
        bar.set_position(of_ours.iter().map(|status| status.position.get().unsigned_abs()).sum());
        bar.set_message(waiting(&of_ours));
        if of_ours.iter().all(|status| status.state != ProjectorState::Building) {
            bar.finish_and_clear();
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
}

fn built<'a>(all: &'a [ProjectorStatus], rebuilds: &[Rebuild]) -> Vec<&'a ProjectorStatus> {
    all.iter().filter(|status| rebuilds.iter().any(|rebuild| rebuild.projector == status.projector)).collect()
}

/// The names of those that are not read yet.
fn waiting(of_ours: &[&ProjectorStatus]) -> String {
    let waiting = of_ours.iter().filter(|status| status.state == ProjectorState::Building);
    waiting.map(|status| &*status.projector.name).collect::<Vec<_>>().join(", ")
}

/// On standard error, and only when that is a terminal.
fn bar() -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left: {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

async fn summarise(log: &EventLog, rebuilds: &[Rebuild], took: Duration) -> anyhow::Result<()> {
    let all = log.projectors().await?;
    let mut output = Output::open();
    let (mut events, mut parked) = (0, 0);
    for status in built(&all, rebuilds) {
        let ProjectorStatus { projector, position, .. } = status;
        output.line(format_args!(
            "{} v{} is read, with everything up to position {position}",
            projector.name, projector.version
        ))?;
        events += position.get().unsigned_abs();
        parked += status.parked;
    }
    let rate = u128::from(events) * 1000 / took.as_millis().max(1);
    output.line(format_args!("{events} events in {:.1} s ({rate} events/s)", took.as_secs_f64()))?;
    if parked > 0 {
        output
            .line(format_args!("{parked} conversations are parked: see `slipstream projections status`"))?;
    }
    output.line("the old tables are kept until `slipstream projections drop-old`")?;
    output.flush()?;
    Ok(())
}
