//! What `/readyz` asks: does PostgreSQL answer, and do the read models keep up with the log?

use std::sync::Arc;

use futures::FutureExt;
use slipstream_eventlog::EventLog;
use slipstream_gateway::Check;
use sqlx::PgPool;

/// Events a read model may be behind the log: a second or so of heavy load.
pub(crate) const LAG_LIMIT: i64 = 10_000;

pub(crate) fn checks(pool: PgPool, log: EventLog) -> Vec<Check> {
    vec![
        Check {
            name: "postgresql",
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
    for status in log.projectors().await.map_err(|error| error.to_string())? {
        let lag = head.get() - status.position.get();
        if lag > LAG_LIMIT {
            return Err(format!("{} is {lag} events behind", status.projector.name));
        }
    }
    Ok(())
}
