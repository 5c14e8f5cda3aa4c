//! How queries reach the tables of a read model: those of its active version, whichever that is.

use slipstream_eventlog::{EventLog, ProjectorId, ProjectorState, ReadError};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use crate::error::QueryError;
use crate::projection::Projection;

/// The read models of one database, for queries. Cheap to clone.
#[derive(Clone)]
pub struct ReadModels {
    log: EventLog,
}

impl ReadModels {
    /// The read models beside a log.
    #[must_use]
    pub fn new(log: EventLog) -> Self {
        Self { log }
    }

    /// The log they are built from.
    #[must_use]
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// A transaction for reading that sees the tables of the active version. Needs no end: dropping it is enough.
    pub(crate) async fn read<P: Projection>(&self) -> Result<Transaction<'static, Postgres>, QueryError> {
        // One round trip: a query of several statements. Both values are constants of this program.
        let begin = format!(
            "BEGIN READ ONLY;
             SELECT set_config('search_path', 'rm_{name}_v' || coalesce(
                 (SELECT version FROM es.projector WHERE name = '{name}' AND state = {active}), {version}), true)",
            name = P::NAME,
            version = P::VERSION,
            active = ProjectorState::Active as i16,
        );
        Ok(self.log.pool().begin_with(AssertSqlSafe(begin)).await?)
    }
}

/// A transaction that writes the tables of this program's own version.
pub(crate) async fn write<P: Projection>(
    pool: &PgPool,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    // A process that is frozen in the middle of it must not keep its rows from the next owner for ever.
    let begin = format!(
        "BEGIN; SET LOCAL search_path TO rm_{}_v{}; SET LOCAL idle_in_transaction_session_timeout TO '10s'",
        P::NAME,
        P::VERSION
    );
    pool.begin_with(AssertSqlSafe(begin)).await
}

/// The version that queries read.
pub(crate) async fn active<P: Projection>(pool: &PgPool) -> Result<ProjectorId, ReadError> {
    let active = sqlx::query_scalar!(
        "SELECT version FROM es.projector WHERE name = $1 AND state = $2",
        P::NAME,
        ProjectorState::Active as i16
    );
    Ok(ProjectorId::new(P::NAME, active.fetch_optional(pool).await?.unwrap_or(P::VERSION)))
}
