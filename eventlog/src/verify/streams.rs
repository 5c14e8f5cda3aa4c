//! The streams as wholes, judged by the database in one statement and so in one snapshot: it answers only
//! with those that are wrong.

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgPool};

use super::fault::{Fault, Faults, StreamFault};
use crate::{CorrelationId, Position, StreamId};

/// All streams, or those of a correlation.
pub(super) async fn check(
    pool: &PgPool,
    of: Option<CorrelationId>,
    faults: &mut Faults,
) -> Result<(), sqlx::Error> {
    let only = if of.is_some() { "WHERE stream_id IN (SELECT stream_id FROM of)" } else { "" };
    let wrong = format!(
        "WITH of AS MATERIALIZED (SELECT DISTINCT stream_id FROM es.event WHERE correlation_id = $1),
              e AS (
                  SELECT stream_id, max(version) AS version, min(position) AS first, max(position) AS last,
                         min(version) = 1 AND max(version) = count(*) AND count(DISTINCT version) = count(*) AS gapless
                  FROM es.event {only} GROUP BY stream_id
              ),
              s AS (SELECT * FROM es.stream {only})
         SELECT coalesce(e.stream_id, s.stream_id) AS stream, s.stream_id IS NULL AS unregistered,
                e.stream_id IS NULL AS empty, coalesce(NOT e.gapless, false) AS versions
         FROM e FULL JOIN s ON s.stream_id = e.stream_id
         LEFT JOIN es.event AS newest ON newest.position = e.last
         LEFT JOIN es.open_stream AS o ON o.stream_id = s.stream_id AND o.category = s.category
         WHERE NOT e.gapless
            OR (s.status = 0) <> (o.stream_id IS NOT NULL)
            OR (s.version, s.first_position, s.last_position, s.category, s.owner_id)
               IS DISTINCT FROM (e.version, e.first, e.last, newest.category, newest.owner_id)
         ORDER BY 1"
    );
    let wrong = sqlx::query_as::<_, Wrong>(AssertSqlSafe(wrong)).bind(of.map(CorrelationId::as_uuid));
    let mut wrong = wrong.fetch(pool);
    while let Some(stream) = wrong.try_next().await? {
        let fault = match (stream.unregistered, stream.empty, stream.versions) {
            (true, _, _) => StreamFault::NotRegistered,
            (false, true, _) => StreamFault::NoEvents,
            (false, false, true) => StreamFault::Versions,
            (false, false, false) => StreamFault::Registration,
        };
        faults.add(Fault::Stream { stream: stream.stream, fault });
    }
    Ok(())
}

/// A stream that is wrong, and how.
#[derive(sqlx::FromRow)]
struct Wrong {
    stream: StreamId,
    unregistered: bool,
    empty: bool,
    versions: bool,
}

/// The events after the last batch; none if there are none.
pub(super) async fn unbatched_tail(pool: &PgPool) -> Result<Option<(Position, Position)>, sqlx::Error> {
    let tail = sqlx::query!(
        r#"SELECT min(position) AS "first: Position", max(position) AS "last: Position" FROM es.event
           WHERE position > (SELECT coalesce(max(last_position), 0) FROM es.batch)"#
    );
    let tail = tail.fetch_one(pool).await?;
    Ok(tail.first.zip(tail.last))
}
