//! `slipstream log verify`: is the log what was written?

use std::process::ExitCode;

use slipstream_eventlog::{EventLog, LogOptions, VerifyReport};

use crate::cli::DatabaseOptions;
use crate::config::Config;
use crate::database::{Database, Place};
use crate::lifecycle::Stage;

/// Prints every fault that is found, then a summary.
///
/// # Errors
/// The database cannot be opened or read. Faults of the log are no error but exit code 1.
pub(crate) async fn run(config: &Config, options: &DatabaseOptions) -> anyhow::Result<ExitCode> {
    let database = Database::visit(config, &Place::of(config, options)?, 2).await?;
    let Stage { tasks, drain } = Stage::default();
    let log = EventLog::start(database.pool.clone(), LogOptions::default(), &tasks, drain.clone());
    let report = log.verify(None, |_| {}).await;
    drain.cancel();
    tasks.close();
    tasks.wait().await;
    database.close().await?;
    Ok(print(&report?))
}

fn print(report: &VerifyReport) -> ExitCode {
    for fault in &report.faults {
        println!("{fault}");
    }
    let faults = report.faults.len() as u64 + report.more;
    println!("{} events in {} batches checked, {faults} faults", report.events, report.batches);
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
