//! Brings a database to the state this program needs.

use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Applies the migrations that are missing, each in a transaction. Any number of processes may call this at
/// once: an advisory lock lets one work while the others wait, and then find nothing to do.
///
/// # Errors
/// The database does not answer, refuses a migration, or was migrated by files that differ from ours.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATIONS.run(pool).await
}

/// The text of every migration this program has, in their order.
pub fn migrations() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.iter().map(|migration| migration.sql.as_str())
}

/// What a database's schema lacks, or has beyond what this program knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Migrations this program has.
    pub known: usize,
    /// Those of them that are applied.
    pub applied: usize,
    /// Applied ones that this program does not have: a newer one made them.
    pub newer: usize,
}

impl Schema {
    /// How many migrations are still to be applied.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.known - self.applied
    }
}

/// Which migrations a database has. Changes nothing.
///
/// # Errors
/// The database does not answer.
pub async fn schema(pool: &PgPool) -> Result<Schema, sqlx::Error> {
    let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let mut schema = Schema { known: known.len(), ..Schema::default() };
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(pool).await?;
    if exists {
        let applied: Vec<i64> =
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(pool).await?;
        schema.applied = applied.iter().filter(|version| known.contains(version)).count();
        schema.newer = applied.len() - schema.applied;
    }
    Ok(schema)
}
