//! What `/readyz` asks: does PostgreSQL answer, and do the read models keep up with the log?

use std::sync::Arc;

use futures::FutureExt;
use slipstream_eventlog::{EventLog, ProjectorState};
use slipstream_gateway::Check;
use sqlx::PgPool;

/// Events a read model may be behind the log: a second or so of heavy load.
pub(crate) const LAG_LIMIT: i64 = 10_000;

pub(crate) fn checks(pool: PgPool, log: EventLog) -> Vec<Check> {
    vec![
        Check {
            name: "postgresql",
            needed: true,
            ask: Arc::new(move || {
                let pool = pool.clone();
                async move {
                    sqlx::query("SELECT 1").execute(&pool).await.map_err(|error| error.to_string())?;
                    Ok(())
                }
                .boxed()
            }),
        },
        Check {
            name: "read models",
            // They are as far behind for every other process.
            needed: false,
            ask: Arc::new(move || {
                let log = log.clone();
                async move { up_to_date(&log).await }.boxed()
            }),
        },
    ]
}

/// Parked conversations are reported by their metric and do not make the process unready: the others go on.
async fn up_to_date(log: &EventLog) -> Result<(), String> {
    let head = log.head().await.map_err(|error| error.to_string())?.position;
    let projectors = log.projectors().await.map_err(|error| error.to_string())?;
    for status in projectors.into_iter().filter(|status| status.state == ProjectorState::Active) {
        let lag = head.get() - status.position.get();
        if lag > LAG_LIMIT {
            return Err(format!("{} is {lag} events behind", status.projector.name));
        }
    }
    Ok(())
}
