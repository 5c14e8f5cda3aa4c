//! Work that one process at a time does for all: a lease by name, kept in the database, waited for by the others.
//!
//! A lease saves work, it fences nothing: a process that was frozen may go on for a moment beside its successor. What is
//! done under it must be right when two do it.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::projector::interval;

/// How long the work stands still when its owner dies without a word. It is renewed five times as often.
const LEASE: Duration = Duration::from_secs(5);
/// The time between two renewals, and the pause before another try for the lease.
const AGAIN: Duration = Duration::from_secs(1);

/// Does `work` whenever the lease `name` is this process's, until `drain`: the work is told to stop by its token, when the
/// lease is lost as when it is time to drain, and is waited for. `owner` names this process; one that starts again under its
/// old name has the lease back at once. Faults of the database are logged and tried again.
pub async fn while_leased<W, D>(
    pool: PgPool,
    name: &'static str,
    owner: String,
    drain: CancellationToken,
    mut work: W,
) where
    W: FnMut(CancellationToken) -> D + Send,
    D: Future<Output = ()> + Send,
{
    while !drain.is_cancelled() {
        match acquire(&pool, name, &owner).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(lease = name, "holds a lease");
                let stop = drain.child_token();
                let done = work(stop.clone());
                let working = async {
                    done.await;
                    stop.cancel();
                };
                tokio::join!(working, keep(&pool, name, &owner, &stop));
                if let Err(error) = release(&pool, name, &owner).await {
                    tracing::warn!(lease = name, %error, "a lease is not given back; the next owner waits for its end");
                }
            }
            Err(error) => tracing::warn!(lease = name, %error, "a lease cannot be had"),
        }
        drain.run_until_cancelled(sleep(AGAIN)).await;
    }
}

/// Renews the lease until `stop`, which it cancels itself when the lease is another's, or may be.
async fn keep(pool: &PgPool, name: &str, owner: &str, stop: &CancellationToken) {
    let mut ours_until = Instant::now() + LEASE;
    while stop.run_until_cancelled(sleep(AGAIN)).await.is_some() {
        let asked = Instant::now();
        match timeout_at(ours_until, renew(pool, name, owner)).await {
            Ok(Ok(true)) => ours_until = asked + LEASE,
            Ok(Err(error)) if Instant::now() < ours_until => {
                tracing::warn!(lease = name, %error, "a lease is not renewed");
            }
            Ok(Ok(false) | Err(_)) | Err(_) => {
                tracing::warn!(lease = name, "a lease is lost");
                stop.cancel();
            }
        }
    }
}

async fn acquire(pool: &PgPool, name: &str, owner: &str) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query!(
        "INSERT INTO es.lease AS l (name, owner, lease_until) VALUES ($1, $2, clock_timestamp() + $3)
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
         WHERE l.owner IS NULL OR l.owner = excluded.owner OR l.lease_until < clock_timestamp()",
        name,
        owner,
        interval(LEASE)
    );
    Ok(taken.execute(pool).await?.rows_affected() == 1)
}

async fn renew(pool: &PgPool, name: &str, owner: &str) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query!(
        "UPDATE es.lease SET lease_until = clock_timestamp() + $3 WHERE name = $1 AND owner = $2",
        name,
        owner,
        interval(LEASE)
    );
    Ok(renewed.execute(pool).await?.rows_affected() == 1)
}

async fn release(pool: &PgPool, name: &str, owner: &str) -> Result<(), sqlx::Error> {
    let released =
        sqlx::query!("UPDATE es.lease SET owner = NULL WHERE name = $1 AND owner = $2", name, owner);
    released.execute(pool).await?;
    Ok(())
}
