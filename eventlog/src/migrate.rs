//! Brings a database to the state this program needs.

use sqlx::{PgPool, migrate::MigrateError};

/// Applies the migrations that are missing, each in a transaction. Any number of processes may call this at
/// once: an advisory lock lets one work while the others wait, and then find nothing to do.
///
/// # Errors
/// The database does not answer, refuses a migration, or was migrated by files that differ from ours.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    sqlx::migrate!("../migrations").run(pool).await
}
