//! `slipstream log verify`: is the log what was written?

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use slipstream_eventlog::{Progress, VerifyReport};
use tokio::time::Instant;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;

/// How to verify.
#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// Answer as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// Prints every fault that is found, then a summary.
///
/// # Errors
/// The database cannot be opened or read. Faults of the log are no error but exit code 1, and so is a signal before the
/// end.
pub(crate) async fn run(config: &Config, options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let bar = bar();
    let place = Place::of(config, &options.database)?;
    let report = visit::read(config, &place, async |log| {
        Ok(log.verify(None, |progress| show(&bar, progress)).await?)
    });
    let report = report.await?;
    bar.finish_and_clear();
    let Some(report) = report else {
        eprintln!("slipstream: stopped before everything was checked");
        return Ok(ExitCode::FAILURE);
    };
    let mut output = Output::open();
    if options.json {
        print_json(&mut output, &report, began.elapsed())?;
    } else {
        print(&mut output, &report, began.elapsed())?;
    }
    output.flush()?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// On standard error, and only when that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.head.get().unsigned_abs());
    bar.set_position(progress.position.get().unsigned_abs());
}

fn print(output: &mut Output, report: &VerifyReport, took: Duration) -> std::io::Result<()> {
    for fault in &report.faults {
        output.line(fault)?;
    }
    let (faults, rate) = (faults(report), rate(report, took));
    let VerifyReport { events, batches, .. } = report;
    output
        .line(format_args!("{events} events in {batches} batches checked, {faults} faults ({rate} events/s)"))
}

fn print_json(output: &mut Output, report: &VerifyReport, took: Duration) -> std::io::Result<()> {
    output.json(&json!({
        "clean": report.is_clean(),
        "events": report.events,
        "batches": report.batches,
        "head": report.head.position,
        "seconds": took.as_secs_f64(),
        "eventsPerSecond": rate(report, took),
        "faults": faults(report),
        "firstFaults": report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    }))
}

fn faults(report: &VerifyReport) -> u64 {
    report.faults.len() as u64 + report.more
}

/// Events a second, with the opening of the database in it.
fn rate(report: &VerifyReport, took: Duration) -> u128 {
    u128::from(report.events) * 1000 / took.as_millis().max(1)
}
