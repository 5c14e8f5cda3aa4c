//! How queries reach the tables of a read model: those of its active version, whichever that is.

use slipstream_eventlog::{EventLog, ProjectorId, ProjectorState};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use crate::error::QueryError;
use crate::projection::Projection;
use crate::version::schema;

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

    /// A transaction for reading that sees the tables of the version that was active when it began, even when another
    /// one becomes so meanwhile. Needs no end: dropping it is enough. Statements that a connection has prepared are
    /// planned anew by PostgreSQL when the `search_path` is another one.
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

/// A transaction that writes the tables of a version.
pub(crate) async fn write(
    pool: &PgPool,
    projector: &ProjectorId,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    // A process that is frozen in the middle of it must not keep its rows from the next owner for ever.
    let begin = format!(
        "BEGIN; SET LOCAL search_path TO {}; SET LOCAL idle_in_transaction_session_timeout TO '10s'",
        schema(projector)
    );
    pool.begin_with(AssertSqlSafe(begin)).await
}
