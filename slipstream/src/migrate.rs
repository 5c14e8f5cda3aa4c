//! `slipstream migrate`: the schema, up to date.

use std::process::ExitCode;

use crate::cli::DatabaseOptions;
use crate::config::Config;
use crate::database::{Database, Place};

/// # Errors
/// The database cannot be opened, or a migration fails; then nothing of that migration was done.
pub(crate) async fn run(config: &Config, options: &DatabaseOptions) -> anyhow::Result<ExitCode> {
    let database = Database::visit(config, &Place::of(config, options)?, 1).await?;
    let migrated = slipstream_eventlog::migrate(&database.pool).await;
    database.close().await?;
    migrated?;
    println!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}
