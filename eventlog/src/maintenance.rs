//! What the log does for itself now and then: adds partitions ahead of need, forgets old commands, freezes
//! closed partitions. Every step may be done by several processes at once and may fail: the next round
//! makes up for it.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_mins(1);
/// Events whose commands are forgotten by one statement: some milliseconds, so that nobody waits for it.
const CHUNK: i64 = 5_000;

/// Runs until `drain`; the first round at once.
pub(crate) async fn run(pool: PgPool, drain: CancellationToken) {
    let mut rounds = tokio::time::interval(EVERY);
    while drain.run_until_cancelled(rounds.tick()).await.is_some() {
        // Dropping a statement halfway is safe: each is a transaction of its own.
        match drain.run_until_cancelled(maintain(&pool)).await {
            None | Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "log maintenance failed");
            }
        }
    }
}

/// One round.
pub(crate) async fn maintain(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT es.add_partition_ahead()").execute(pool).await?;
    forget_commands(pool).await?;
    freeze_partitions(pool).await
}

/// Commands older than seven days are forgotten: those of the next events, as long as these are that old.
async fn forget_commands(pool: &PgPool) -> Result<(), sqlx::Error> {
    loop {
        let forgotten = sqlx::query!(
            "WITH old AS (
                 SELECT position, command_id FROM es.event
                 WHERE position > (SELECT position FROM es.forgotten)
                   AND position <= (SELECT position FROM es.forgotten) + $1
                   AND recorded_at < now() - interval '7 days'
             ), gone AS (
                 DELETE FROM es.command WHERE command_id IN (SELECT command_id FROM old)
             )
             UPDATE es.forgotten SET position = (SELECT max(position) FROM old) WHERE EXISTS (SELECT FROM old)",
            CHUNK
        );
        if forgotten.execute(pool).await?.rows_affected() == 0 {
            return Ok(());
        }
    }
}

/// Partitions that take no more events are vacuumed for good, so that no anti-wraparound vacuum ever has to.
async fn freeze_partitions(pool: &PgPool) -> Result<(), sqlx::Error> {
    let closed = sqlx::query_scalar!(
        "SELECT partition_no FROM es.partition
         WHERE frozen_at IS NULL AND end_position <= (SELECT max(last_position) FROM es.batch)
         ORDER BY partition_no"
    );
    for partition in closed.fetch_all(pool).await? {
        // A table's name cannot be bound; this one is made of a number.
        sqlx::query(AssertSqlSafe(format!("VACUUM (FREEZE) es.event_{partition}"))).execute(pool).await?;
        sqlx::query!("UPDATE es.partition SET frozen_at = now() WHERE partition_no = $1", partition)
            .execute(pool)
            .await?;
    }
    Ok(())
}
