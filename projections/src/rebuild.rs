//! Builds a read model anew beside the one that is read, and removes what is read no longer. Only makes and removes
//! tables: the [`Runner`](crate::Runner) of whichever process fills them, and lets queries read them once they have
//! everything.

use std::time::Duration;

use slipstream_eventlog::{
    EventLog, ProjectorId, ProjectorState, hold_still, migrations, register, unregister,
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::time::{Instant, sleep};

use crate::runner::ReadModel;
use crate::tables;
use crate::version::{REBUILD, schema};

/// One at a time begins a rebuild or removes tables: any number nobody else locks.
const LOCK: i64 = 7_310_034_173;
/// How long transactions that may still read what is to be removed are waited for: longer than any query of ours.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A rebuild that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// The version that is being filled.
    pub projector: ProjectorId,
    /// It had begun before, and goes on.
    pub resumed: bool,
}

/// Why nothing was rebuilt or removed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Somebody may still be reading it.
    #[error(
        "{0} transactions are open since before {name} was retired, and may still read it; try again when they have ended",
        name = .1.name
    )]
    Read(usize, ProjectorId),
    /// A projector moves it all the time, for longer than it is sensible to wait.
    #[error("{0} is busy; try again")]
    Busy(&'static str),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Makes empty tables for a read model, beside those that are read, and leaves them to the runners to be filled. One that
/// is being filled already is gone on with.
///
/// # Errors
/// See [`RebuildError`]; nothing has changed then.
pub async fn start_rebuild(log: &EventLog, model: &ReadModel) -> Result<Rebuild, RebuildError> {
    let mut tx = log.pool().begin().await?;
    one_at_a_time(&mut tx).await?;
    let versions = hold_still(&mut tx, model.name).await?.ok_or(RebuildError::Busy(model.name))?;
    for building in versions.iter().filter(|version| version.state == ProjectorState::Building) {
        let projector = ProjectorId::new(model.name, building.version);
        if model.fills(&projector) && exists(&mut tx, &projector).await? {
            return Ok(Rebuild { projector, resumed: true });
        }
    }
    let projector = next(&mut tx, model).await?;
    for statement in tables::statements(migrations(), &model.id(), &projector) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *tx).await?;
    }
    register(&mut tx, &projector).await?;
    tx.commit().await?;
    Ok(Rebuild { projector, resumed: false })
}

/// Removes every version of a read model that was read once and is no longer, with its tables. Waits until nobody can be
/// reading them, for half a minute at most. Answers which there were.
///
/// # Errors
/// See [`RebuildError`]; what was removed before stays removed.
pub async fn drop_retired(log: &EventLog, model: &ReadModel) -> Result<Vec<ProjectorId>, RebuildError> {
    let versions = log.projectors().await.map_err(database)?.into_iter();
    let retired = versions
        .filter(|status| *status.projector.name == *model.name && status.state == ProjectorState::Retired);
    let mut dropped = Vec::new();
    for projector in retired.map(|status| status.projector) {
        until_unread(log.pool(), &projector).await?;
        let mut tx = log.pool().begin().await?;
        one_at_a_time(&mut tx).await?;
        // In the order a projector goes, the checkpoint first, and without making readers wait behind us for long.
        sqlx::raw_sql("SET LOCAL lock_timeout TO '10s'").execute(&mut *tx).await?;
        if unregister(&mut tx, &projector).await? {
            drop_tables(&mut tx, &schema(&projector)).await?;
            tx.commit().await?;
            dropped.push(projector);
        }
    }
    Ok(dropped)
}

fn database(error: slipstream_eventlog::ReadError) -> RebuildError {
    match error {
        slipstream_eventlog::ReadError::Database(error) => RebuildError::Database(error),
        slipstream_eventlog::ReadError::KeyRing(error) => {
            RebuildError::Database(sqlx::Error::protocol(error))
        }
    }
}

async fn one_at_a_time(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

async fn exists(connection: &mut PgConnection, projector: &ProjectorId) -> Result<bool, sqlx::Error> {
    let exists = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(schema(projector));
    exists.fetch_one(connection).await
}

/// The version after all that are known or have tables.
async fn next(connection: &mut PgConnection, model: &ReadModel) -> Result<ProjectorId, sqlx::Error> {
    let mut projector = model.id();
    loop {
        projector.version += REBUILD;
        let taken: bool = sqlx::query_scalar(
            "SELECT to_regnamespace($3) IS NOT NULL
                 OR EXISTS (SELECT FROM es.projector WHERE name = $1 AND version % $4 = $2 % $4 AND version >= $2)",
        )
        .bind(model.name)
        .bind(projector.version)
        .bind(schema(&projector))
        .bind(REBUILD)
        .fetch_one(&mut *connection)
        .await?;
        if !taken {
            return Ok(projector);
        }
    }
}

/// Waits until every transaction has ended that was open when this was called: a query finds its tables when its
/// transaction begins, and those that begin now find others.
async fn until_unread(pool: &PgPool, projector: &ProjectorId) -> Result<(), RebuildError> {
    let open = "SELECT array_agg(l.virtualxid) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND pid <> pg_backend_pid()
                  AND ($1::text[] IS NULL OR l.virtualxid = ANY ($1))";
    let give_up = Instant::now() + PATIENCE;
    let mut before: Option<Vec<String>> = None;
    loop {
        let left: Option<Vec<String>> = sqlx::query_scalar(open).bind(&before).fetch_one(pool).await?;
        let Some(left) = left else { return Ok(()) };
        if Instant::now() >= give_up {
            return Err(RebuildError::Read(left.len(), projector.clone()));
        }
        before = Some(left);
        sleep(LOOK_EVERY).await;
    }
}

/// Refuses, by an error of the database, when something else is made of them, such as a view.
async fn drop_tables(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let drops: Vec<String> = sqlx::query_scalar(
        "SELECT 'DROP TABLE ' || string_agg(format('%I.%I', schemaname, tablename), ', ')
         FROM pg_tables WHERE schemaname = $1 HAVING count(*) > 0
         UNION ALL SELECT format('DROP SCHEMA IF EXISTS %I', $1)",
    )
    .bind(schema)
    .fetch_all(&mut *connection)
    .await?;
    for statement in drops {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}
