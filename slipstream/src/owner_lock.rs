//! Who owns a server that others may use too: one process alone, or those together that share everything else. A lock of
//! PostgreSQL's, which is held for as long as its connection lives, and taken again when PostgreSQL was restarted.

use std::time::Duration;

use anyhow::anyhow;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep, timeout};

/// Any number that nobody else locks.
pub(crate) const OWNER_LOCK: i64 = 7_310_034_171;
/// Has PostgreSQL notice within 5 s that an owner is gone whose machine did not say so.
const KEEPALIVES: &str =
    "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2";
/// How long a lock that another holds is waited for: until PostgreSQL has noticed.
const OWNER_LEAVES: Duration = Duration::from_secs(7);
/// The pause between two looks at the lock.
const LOOK: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to answer before the connection counts as lost.
const ANSWER: Duration = Duration::from_secs(10);

/// How a server is owned.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ownership {
    /// By nobody else.
    Alone,
    /// By those that share the queue, the bus and the stream state, too.
    Shared,
}

/// The lock, held.
pub(crate) struct OwnerLock {
    url: SecretString,
    ownership: Ownership,
    connection: PgConnection,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unowned {
    /// Another process has it, which this one cannot be beside.
    #[error("{0}")]
    Taken(&'static str),
    #[error("PostgreSQL does not answer")]
    Unavailable(#[from] sqlx::Error),
}

impl OwnerLock {
    /// Takes the lock. A killed owner's is free once PostgreSQL has noticed.
    ///
    /// # Errors
    /// Another process has it; PostgreSQL does not answer.
    pub(crate) async fn take(url: &SecretString, ownership: Ownership) -> Result<Self, Unowned> {
        let mut connection = PgConnection::connect(url.expose_secret()).await?;
        sqlx::raw_sql(KEEPALIVES).execute(&mut connection).await?;
        let give_up = Instant::now() + OWNER_LEAVES;
        while !ownership.is_taken_by(&mut connection).await? {
            if Instant::now() >= give_up {
                return Err(Unowned::Taken(ownership.refusal()));
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { url: url.clone(), ownership, connection })
    }

    /// Watches over the lock; returns when another process has taken it while PostgreSQL was away. Until then a lost
    /// connection is mended, and with it the lock.
    pub(crate) async fn lost(&mut self) -> anyhow::Error {
        loop {
            sleep(LOOK).await;
            if matches!(timeout(ANSWER, self.connection.ping()).await, Ok(Ok(()))) {
                continue;
            }
            match timeout(ANSWER, Self::take(&self.url, self.ownership)).await {
                Ok(Ok(again)) => {
                    tracing::info!("the database is owned again");
                    *self = again;
                }
                Ok(Err(taken @ Unowned::Taken(_))) => {
                    return anyhow!(taken)
                        .context("the database was lost to another process while it was away");
                }
                Ok(Err(Unowned::Unavailable(error))) => {
                    tracing::warn!(%error, "the database cannot be owned again");
                }
                Err(_) => tracing::warn!("the database cannot be owned again: PostgreSQL does not answer"),
            }
        }
    }

    /// Lets it go.
    pub(crate) async fn release(self) {
        // The server notices a closed socket as well; one that was restarted has forgotten the connection.
        drop(self.connection.close().await);
    }
}

impl Ownership {
    async fn is_taken_by(self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let lock = match self {
            Self::Alone => "SELECT pg_try_advisory_lock($1)",
            Self::Shared => "SELECT pg_try_advisory_lock_shared($1)",
        };
        sqlx::query_scalar(lock).bind(OWNER_LOCK).fetch_one(connection).await
    }

    fn refusal(self) -> &'static str {
        match self {
            Self::Alone => {
                "the database is in use by another `slipstream dev` or `serve`; stop it, or use another database"
            }
            Self::Shared => {
                "the database is in use by a `slipstream dev` or `serve` that shares nothing (no nats.servers, no \
                 redis.url); stop it, or use another database"
            }
        }
    }
}
