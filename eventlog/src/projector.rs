//! Who runs a projection and how far it has come: leases, fenced checkpoints, the active version.
//!
//! A projector applies events and moves its checkpoint in one transaction of the caller's: exactly once. A
//! checkpoint moves only under the newest epoch: a projector that lost its lease cannot commit.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, PgPool, postgres::types::PgInterval};
use time::OffsetDateTime;

use crate::{EventLog, Position, ReadError};

/// One version of a projection. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectorId {
    /// The projection's name.
    pub name: Arc<str>,
    /// Its version; each has tables and a checkpoint of its own.
    pub version: i32,
}

impl ProjectorId {
    /// Names a version of a projection.
    #[must_use]
    pub fn new(name: &str, version: i32) -> Self {
        Self { name: name.into(), version }
    }
}

/// What a version of a projection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[repr(i16)]
pub enum ProjectorState {
    /// It is being filled; nobody reads it.
    Building = 0,
    /// Queries read it.
    Active = 1,
    /// It was active and waits to be dropped.
    Retired = 2,
}

/// The right to run a projector, until the lease ends or another owner takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The projector.
    pub projector: ProjectorId,
    /// Counts its owners; the highest is the one.
    pub epoch: i64,
    /// Its checkpoint when the lease was taken.
    pub position: Position,
}

/// Why a lease no longer holds.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another owner has taken the projector, or the checkpoint is not where this one left it: stop.
    #[error("another owner runs the projector")]
    Fenced,
    /// The database did not answer; the lease may still hold.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

impl Lease {
    /// Takes the projector for `ttl` if it is free, its lease has ended, or `owner` has it already (a process
    /// that restarts under its old name goes on at once). Every lease has a new epoch. `None` as well for a
    /// projector that is not [registered](register).
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn acquire(
        pool: &PgPool,
        projector: &ProjectorId,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            r#"UPDATE es.projector
               SET epoch = epoch + 1, owner = $3, lease_until = clock_timestamp() + $4
               WHERE name = $1 AND version = $2
                 AND (owner IS NULL OR owner = $3 OR lease_until < clock_timestamp())
               RETURNING epoch, position AS "position: Position""#,
            &*projector.name,
            projector.version,
            owner,
            interval(ttl)
        );
        let row = row.fetch_optional(pool).await?;
        Ok(row.map(|row| Self { projector: projector.clone(), epoch: row.epoch, position: row.position }))
    }

    /// Keeps the projector for another `ttl` from now.
    ///
    /// # Errors
    /// [`LeaseError::Fenced`] if another owner has taken it.
    pub async fn renew(&self, pool: &PgPool, ttl: Duration) -> Result<(), LeaseError> {
        let renewed = sqlx::query!(
            "UPDATE es.projector SET lease_until = clock_timestamp() + $4
             WHERE name = $1 AND version = $2 AND epoch = $3",
            &*self.projector.name,
            self.projector.version,
            self.epoch,
            interval(ttl)
        );
        one_row(renewed.execute(pool).await?.rows_affected())
    }

    /// Gives the projector back, so that another owner need not wait for the lease's end. Does nothing if it
    /// is no longer ours.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn release(self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let released = sqlx::query!(
            "UPDATE es.projector SET owner = NULL WHERE name = $1 AND version = $2 AND epoch = $3",
            &*self.projector.name,
            self.projector.version,
            self.epoch
        );
        released.execute(pool).await?;
        Ok(())
    }

    /// Moves the checkpoint within the transaction that applied the events after `from` up to `to`. Tell
    /// [`EventLog::projected`] when it has committed.
    ///
    /// # Errors
    /// [`LeaseError::Fenced`] if the lease is another's or the checkpoint is not at `from`: roll back.
    pub async fn advance(
        &self,
        transaction: &mut PgConnection,
        from: Position,
        to: Position,
    ) -> Result<(), LeaseError> {
        let moved = sqlx::query!(
            "UPDATE es.projector SET position = $5 WHERE name = $1 AND version = $2 AND epoch = $3 AND position = $4",
            &*self.projector.name,
            self.projector.version,
            self.epoch,
            from.get(),
            to.get()
        );
        one_row(moved.execute(transaction).await?.rows_affected())
    }
}

fn one_row(rows: u64) -> Result<(), LeaseError> {
    if rows == 1 { Ok(()) } else { Err(LeaseError::Fenced) }
}

pub(crate) fn interval(duration: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX) }
}

/// Makes a projector known, at position 0 and in state [`ProjectorState::Building`]; one that is known stays as it is.
///
/// # Errors
/// The database does not answer.
pub async fn register(connection: &mut PgConnection, projector: &ProjectorId) -> Result<(), sqlx::Error> {
    let registered = sqlx::query!(
        "INSERT INTO es.projector (name, version, position, epoch, lease_until, state)
         VALUES ($1, $2, 0, 0, clock_timestamp(), $3) ON CONFLICT DO NOTHING",
        &*projector.name,
        projector.version,
        ProjectorState::Building as i16
    );
    registered.execute(connection).await?;
    Ok(())
}

/// Forgets a projector and what it has parked, unless queries read it. Its owner finds itself fenced. False if it is
/// read, or not known.
///
/// # Errors
/// The database does not answer.
pub async fn unregister(
    transaction: &mut PgConnection,
    projector: &ProjectorId,
) -> Result<bool, sqlx::Error> {
    let forgotten = sqlx::query_scalar!(
        "WITH forgotten AS (
             DELETE FROM es.projector WHERE name = $1 AND version = $2 AND state <> $3 RETURNING name, version
         ), parked AS (
             DELETE FROM es.parked AS k USING forgotten AS f WHERE k.projector = f.name AND k.version = f.version
         )
         SELECT version FROM forgotten",
        &*projector.name,
        projector.version,
        ProjectorState::Active as i16
    );
    Ok(forgotten.fetch_optional(transaction).await?.is_some())
}

/// How far a version of a projection is, and what it is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionState {
    /// Which.
    pub version: i32,
    /// Its checkpoint.
    pub position: Position,
    /// What it is used for.
    pub state: ProjectorState,
}

/// All versions of a projection, none of which moves until the caller's transaction ends: whoever compares two decides
/// by that. `None` when one of them is being moved and that takes longer than a second; then the transaction is over.
///
/// # Errors
/// The database does not answer.
pub async fn hold_still(
    transaction: &mut PgConnection,
    name: &str,
) -> Result<Option<Vec<VersionState>>, sqlx::Error> {
    sqlx::query!("SET LOCAL lock_timeout TO '1s'").execute(&mut *transaction).await?;
    let versions = sqlx::query_as!(
        VersionState,
        r#"SELECT version, position AS "position: _", state AS "state: _"
           FROM es.projector WHERE name = $1 ORDER BY version FOR UPDATE"#,
        name
    );
    match versions.fetch_all(transaction).await {
        Ok(versions) => Ok(Some(versions)),
        Err(error) if is_busy(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a lock was not to be had in time.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("55P03")
}

/// Makes one version of a projection the active one, within the caller's transaction; the one before is
/// retired. False if that version is not registered, and then nothing changes.
///
/// # Errors
/// The database does not answer.
pub async fn activate(transaction: &mut PgConnection, projector: &ProjectorId) -> Result<bool, sqlx::Error> {
    let changed = sqlx::query!(
        "UPDATE es.projector SET state = CASE WHEN version = $2 THEN $3 ELSE $4 END::smallint
         WHERE name = $1 AND (version = $2 OR state = $3)
           AND EXISTS (SELECT FROM es.projector WHERE name = $1 AND version = $2)",
        &*projector.name,
        projector.version,
        ProjectorState::Active as i16,
        ProjectorState::Retired as i16
    );
    Ok(changed.execute(transaction).await?.rows_affected() > 0)
}

/// A projector as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectorStatus {
    /// Which one.
    pub projector: ProjectorId,
    /// Its checkpoint: everything up to and with it is applied or parked.
    pub position: Position,
    /// What it is used for.
    pub state: ProjectorState,
    /// Who runs it, if somebody does.
    pub owner: Option<String>,
    /// Until when, unless renewed.
    pub lease_until: OffsetDateTime,
    /// How many correlations it has parked.
    pub parked: i64,
}

impl EventLog {
    /// All registered projectors, by name and version.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn projectors(&self) -> Result<Vec<ProjectorStatus>, ReadError> {
        let rows = sqlx::query!(
            r#"SELECT p.name, p.version, p.position AS "position: Position", p.state AS "state: ProjectorState",
                      p.owner, p.lease_until,
                      (SELECT count(*) FROM es.parked AS k WHERE k.projector = p.name AND k.version = p.version)
                          AS "parked!"
               FROM es.projector AS p ORDER BY p.name, p.version"#
        );
        let rows = rows.fetch_all(self.pool()).await?.into_iter();
        let status = rows.map(|row| ProjectorStatus {
            projector: ProjectorId::new(&row.name, row.version),
            position: row.position,
            state: row.state,
            owner: row.owner,
            lease_until: row.lease_until,
            parked: row.parked,
        });
        Ok(status.collect())
    }
}
