//! `slipstream log verify`: is the log what was written?

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use slipstream_eventlog::{CorrelationId, Part, Position, Progress, PublicKey, Verification, VerifyReport};
use slipstream_projections::rfc3339;
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::usage::Usage;
use crate::{signatures, visit};

/// How to verify.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct VerifyOptions {
    /// Only events from this position on; the links of the whole log are checked anyway.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
    /// Only events up to this position.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
    /// Only the events of one conversation, and those recorded in one batch with them.
    #[arg(long, value_name = "ID", conflicts_with_all = ["from", "to"])]
    conversation: Option<Uuid>,
    /// The log must have led to every signature in this file or folder; without a PATH, to those the settings keep.
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "not asked for; asked for; asked for at a place")]
    from_signature: Option<Option<PathBuf>>,
    /// The key that signatures are trusted by. Otherwise that of the setting `audit.signing_key`.
    #[arg(long, value_name = "KEY", requires = "from_signature")]
    public_key: Option<PublicKey>,
    /// Answer as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Check every event, hash and link of the log; say what is wrong and where. Exit code 1 when anything is.

Who can write to the database can also write another history that is consistent in itself. That is found only by signatures
that were kept elsewhere: with --from-signature everything up to the newest of them is certain, and it is said where that is.";

const EXAMPLES: &str = "\
Examples:
  slipstream log verify
  slipstream log verify --from-signature /mnt/audit/signatures --public-key d75a98…
  slipstream log verify --conversation 0199…";

/// The signature up to which everything is certain.
struct Certain {
    batch_no: i64,
    at_us: i64,
}

/// Prints every fault that is found, then a summary.
///
/// # Errors
/// The database cannot be opened or read; a signature proves nothing. Faults of the log are no error but exit code 1, and
/// so is a signal before the end.
pub(crate) async fn run(config: &Config, options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let part = part(options)?;
    let key = options.from_signature.as_ref().map(|_| signatures::trusted(config, options.public_key));
    let key = key.transpose()?;
    let began = Instant::now();
    let bar = bar();
    let place = Place::of(config, &options.database)?;
    place.must_exist()?;
    let done = visit::visit(config, &place, async |visit| {
        visit::must_be_migrated(&visit.pool).await?;
        let (mut signed, mut certain) = (Vec::new(), None);
        if let (Some(place), Some(key)) = (&options.from_signature, &key) {
            let kept = signatures::kept(config, place.clone(), visit.tasks()).await?;
            signed = signatures::heads(&kept, key)?;
            certain = kept.last().map(|last| Certain { batch_no: last.batch_no, at_us: last.signed_at_us });
        }
        let beside = Some((visit.tasks().clone(), workers()));
        let bar = bar.clone();
        let what = Verification { part, signed, beside };
        Ok((visit.log().verify(what, move |progress| show(&bar, progress)).await?, certain))
    });
    let done = done.await?;
    bar.finish_and_clear();
    let Some((report, certain)) = done else {
        eprintln!("slipstream: stopped before everything was checked");
        return Ok(ExitCode::FAILURE);
    };
    let mut output = Output::open();
    if options.json {
        print_json(&mut output, &report, certain.as_ref(), began.elapsed())?;
    } else {
        print(&mut output, &report, certain.as_ref(), began.elapsed())?;
    }
    output.flush()?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn part(options: &VerifyOptions) -> Result<Part, Usage> {
    let (from, to) = (options.from.unwrap_or(1), options.to.unwrap_or(i64::MAX));
    match options.conversation {
        Some(id) => Ok(Part::Correlation(CorrelationId::from_uuid(id))),
        None if options.from.is_none() && options.to.is_none() => Ok(Part::Whole),
        None if from > to => Err(Usage(format!("--from {from} is after --to {to}"))),
        None => Ok(Part::Positions(Position::new(from), Position::new(to))),
    }
}

/// As many as the machine does at once, and the visit has connections for.
fn workers() -> NonZeroUsize {
    let most = NonZeroUsize::MIN.saturating_add(2);
    std::thread::available_parallelism().unwrap_or(most).min(most)
}

/// On standard error, and only when that is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.of);
    bar.set_position(progress.events);
}

fn print(
    output: &mut Output,
    report: &VerifyReport,
    certain: Option<&Certain>,
    took: Duration,
) -> std::io::Result<()> {
    for fault in &report.faults {
        output.line(fault)?;
    }
    let (faults, rate) = (faults(report), rate(report, took));
    let VerifyReport { events, batches, .. } = report;
    output.line(format_args!(
        "{events} events in {batches} batches checked, {faults} faults ({rate} events/s)"
    ))?;
    match certain {
        None => Ok(()),
        Some(Certain { batch_no, at_us }) if report.is_clean() => output.line(format_args!(
            "what was recorded up to batch {batch_no} is what was signed at {}; of the {} batches after it nobody outside knows",
            time(*at_us),
            report.head.batch_no - batch_no
        )),
        Some(_) => output.line("it is not the log that was signed, or has been changed since"),
    }
}

fn time(us: i64) -> String {
    rfc3339(OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::microseconds(us)))
}

fn print_json(
    output: &mut Output,
    report: &VerifyReport,
    certain: Option<&Certain>,
    took: Duration,
) -> std::io::Result<()> {
    output.json(&json!({
        "clean": report.is_clean(),
        "events": report.events,
        "batches": report.batches,
        "head": report.head.position,
        "headBatch": report.head.batch_no,
        "signedBatch": certain.map(|certain| certain.batch_no),
        "signedAt": certain.map(|certain| time(certain.at_us)),
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
