//! Correlations a projector has set aside because an event of theirs could not be applied.
//!
//! The runner parks a correlation in the transaction that passes over the event, skips its later events, and,
//! when a retry is asked for, re-reads it from `first_position` up to its checkpoint in one transaction that
//! also unparks it.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::{CorrelationId, Position, ProjectorId};

/// A parked correlation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The correlation.
    pub correlation: CorrelationId,
    /// The event it was parked at.
    pub first_position: Position,
    /// Why; holds no content of events.
    pub error: String,
    /// When.
    pub at: OffsetDateTime,
    /// Whether somebody asked for another try.
    pub retry_requested: bool,
}

/// Parks a correlation at the event that could not be applied. Parked already, it keeps its first position
/// and takes the new error; a request to retry it is thereby answered.
///
/// # Errors
/// The database does not answer.
pub async fn park(
    transaction: &mut PgConnection,
    projector: &ProjectorId,
    correlation: CorrelationId,
    first_position: Position,
    error: &str,
) -> Result<(), sqlx::Error> {
    let parked = sqlx::query!(
        "INSERT INTO es.parked (projector, version, correlation_id, first_position, error, at, retry_requested)
         VALUES ($1, $2, $3, $4, $5, clock_timestamp(), false)
         ON CONFLICT (projector, version, correlation_id) DO UPDATE
         SET error = excluded.error, at = excluded.at, retry_requested = false",
        &*projector.name,
        projector.version,
        correlation.as_uuid(),
        first_position.get(),
        error
    );
    parked.execute(transaction).await?;
    Ok(())
}

/// Takes a correlation back; false if it was not parked.
///
/// # Errors
/// The database does not answer.
pub async fn unpark(
    transaction: &mut PgConnection,
    projector: &ProjectorId,
    correlation: CorrelationId,
) -> Result<bool, sqlx::Error> {
    let unparked = sqlx::query!(
        "DELETE FROM es.parked WHERE projector = $1 AND version = $2 AND correlation_id = $3",
        &*projector.name,
        projector.version,
        correlation.as_uuid()
    );
    Ok(unparked.execute(transaction).await?.rows_affected() > 0)
}

/// Asks the projector's owner to try again: one correlation, or all that are parked. Says how many.
///
/// # Errors
/// The database does not answer.
pub async fn request_retry(
    pool: &PgPool,
    projector: &ProjectorId,
    correlation: Option<CorrelationId>,
) -> Result<u64, sqlx::Error> {
    let requested = sqlx::query!(
        "UPDATE es.parked SET retry_requested = true
         WHERE projector = $1 AND version = $2 AND ($3::uuid IS NULL OR correlation_id = $3)",
        &*projector.name,
        projector.version,
        correlation.map(CorrelationId::as_uuid)
    );
    Ok(requested.execute(pool).await?.rows_affected())
}

/// All that a projector has parked, the earliest first.
///
/// # Errors
/// The database does not answer.
pub async fn list(pool: &PgPool, projector: &ProjectorId) -> Result<Vec<Parked>, sqlx::Error> {
    sqlx::query_as!(
        Parked,
        r#"SELECT correlation_id AS "correlation: _", first_position AS "first_position: _", error, at, retry_requested
           FROM es.parked WHERE projector = $1 AND version = $2 ORDER BY first_position"#,
        &*projector.name,
        projector.version
    )
    .fetch_all(pool)
    .await
}
