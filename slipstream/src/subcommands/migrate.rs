//! `slipstream migrate`: the schema, up to date.

use std::process::ExitCode;

use crate::config::Config;
use crate::database::{Database, DatabaseOptions, Place};
use crate::output::Output;

/// # Errors
/// The database cannot be opened, or a migration fails; then nothing of that migration was done.
pub(crate) async fn run(config: &Config, options: &DatabaseOptions) -> anyhow::Result<ExitCode> {
    let database = Database::visit(config, &Place::of(config, options)?, 1).await?;
    let migrated = slipstream_eventlog::migrate(&database.pool).await;
    database.close().await?;
    migrated?;
    let mut output = Output::open();
    output.line("the database is up to date")?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
