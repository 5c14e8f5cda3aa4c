//! `slipstream export`: a view of schema `analytics` as a file, from a position on. Holds no more of it than a group of rows.

mod csv;
mod file;
mod ndjson;
mod parquet;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use slipstream_eventlog::{EventLog, Position};
use slipstream_projections::analytics::{Snapshot, View};

use self::file::File;
use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::subcommands::analytics_describe::find;
use crate::usage::Usage;
use crate::visit;
use slipstream_projections::AsOf;

/// What to export, and where to.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ExportOptions {
    /// The view of schema `analytics`; `slipstream analytics describe` lists them.
    #[arg(long, value_name = "VIEW")]
    table: String,
    /// The form of the file.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Only rows that show something newer: than a position, as an earlier export told it, or than a time.
    #[arg(long, value_name = "POSITION|TIME")]
    since: Option<AsOf>,
    /// The file to write; standard output when there is none. It stands there once it is whole.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Parquet, compressed with Snappy.
    Parquet,
    /// Comma-separated values with a head line (RFC 4180); null is empty.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

pub(crate) const ABOUT: &str = "\
Write a view of schema `analytics` to a file: all of it, or what is newer than a position.

Rows come in the order of the log and are written as they come. At the end, and when it is stopped by Ctrl-C, the export says
up to which position it holds everything; the next one goes on from there with --since. A row that has changed meanwhile comes
again: the newest one of its id counts. Sums by day, week or month come again whole as long as their last day does.";

const EXAMPLES: &str = "\
Examples:
  slipstream export --table generations --format parquet --output generations.parquet
  slipstream export --table generations --format parquet --output more.parquet --since 48211
  slipstream export --table usage_daily --since 2026-11-01T00:00:00Z > usage.csv";

/// What came of an export.
struct Exported {
    rows: u64,
    /// Everything up to it is in the file.
    position: Position,
}

/// # Errors
/// No such view; the database or the disk. What was written until then is made a whole file.
pub(crate) async fn run(config: &Config, options: &ExportOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let bar = bar();
    let mut file = None;
    let mut exported = Exported { rows: 0, position: Position::new(0) };
    let done = visit::read(config, &place, async |log| {
        let view = find(log.pool(), &options.table).await?;
        let since = since(log, options.since).await?;
        exported.position = since;
        let file = file.insert(File::create(options.output.as_deref(), options.format, &view)?);
        export(log, &view, since, file, &mut exported, &bar).await
    })
    .await;
    bar.finish_and_clear();
    let Some(file) = file else { return done.map(|_| ExitCode::FAILURE) };
    file.finish(exported.position)?;
    let Exported { rows, position } = exported;
    let ended = if let Ok(Some(())) = done { "" } else { "stopped before the end: " };
    eprintln!(
        "slipstream: {ended}{rows} rows of {}, everything up to position {position}; go on with --since {position}",
        options.table
    );
    Ok(if done?.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn export(
    log: &EventLog,
    view: &View,
    since: Position,
    file: &mut File,
    exported: &mut Exported,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut snapshot = Snapshot::take(log.pool()).await?;
    let position = snapshot.position(view).await?;
    if !bar.is_hidden() {
        bar.set_length(snapshot.count(view, since).await?);
    }
    snapshot
        .rows(view, since, |row, whole| {
            file.write(row)?;
            exported.rows += 1;
            exported.position = whole;
            bar.inc(1);
            anyhow::Ok(())
        })
        .await?;
    // One that came from a place where the read model is not yet stays there.
    exported.position = position.max(since);
    Ok(())
}

async fn since(log: &EventLog, since: Option<AsOf>) -> anyhow::Result<Position> {
    Ok(match since {
        None => Position::new(0),
        Some(AsOf::Time(time)) => log.position_at(time).await?,
        Some(AsOf::Position(position)) => {
            let head = log.head().await?.position;
            if position > head {
                bail!(Usage(format!("--since {position} has not come yet: the log ends at position {head}")));
            }
            position
        }
    })
}

/// On standard error, and only when that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
