//! What happens to an installation, and what it may cost those who use it.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::node::Role;
use crate::site::{AWAY, Site};

/// How long a server of ours stays away when it is down and not only restarted.
const DOWN: Duration = Duration::from_secs(15);
/// Long enough for the frozen worker's replies to be taken over, and ended.
const FROZEN: Duration = Duration::from_secs(30);

/// One thing that happens, under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    GatewayKilled,
    WorkerKilled,
    ProjectorKilled,
    /// It knows nothing of the time it missed, and finds its replies taken over.
    WorkerFrozen,
    NatsKilled,
    RedisKilled,
    RedisFlushed,
    RedisDown,
    PostgresKilled,
    PostgresDown,
    /// Every process is told to stop, in turn, and started again.
    RollingRestart,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::GatewayKilled,
        Self::WorkerKilled,
        Self::ProjectorKilled,
        Self::WorkerFrozen,
        Self::NatsKilled,
        Self::RedisKilled,
        Self::RedisFlushed,
        Self::RedisDown,
        Self::PostgresKilled,
        Self::PostgresDown,
        Self::RollingRestart,
    ];

    /// Does it and mends it. Where there are two of the kind, `which` says which.
    pub(crate) async fn happen(self, site: &mut Site, which: usize) -> Result<()> {
        match self {
            Self::GatewayKilled => site.kill_and_restart(Role::Gateway, which).await,
            Self::WorkerKilled => site.kill_and_restart(Role::Worker, which).await,
            Self::ProjectorKilled => site.kill_and_restart(Role::Projector, which).await,
            Self::WorkerFrozen => site.freeze(Role::Worker, which, FROZEN).await,
            Self::NatsKilled => {
                block_in_place(|| site.nats.restart());
                Ok(())
            }
            Self::RedisKilled => {
                block_in_place(|| site.redis.restart());
                Ok(())
            }
            Self::RedisFlushed => site.flush_redis().await,
            Self::RedisDown => {
                block_in_place(|| site.redis.kill());
                sleep(DOWN).await;
                block_in_place(|| site.redis.restart());
                Ok(())
            }
            Self::PostgresKilled => site.kill_and_restart_postgres(AWAY).await,
            Self::PostgresDown => site.kill_and_restart_postgres(DOWN).await,
            Self::RollingRestart => site.restart_each().await,
        }
    }

    /// Whether a reply may end as interrupted: only one whose owner is lost.
    pub(crate) fn may_interrupt(self) -> bool {
        match self {
            Self::WorkerKilled | Self::WorkerFrozen => true,
            Self::GatewayKilled
            | Self::ProjectorKilled
            | Self::NatsKilled
            | Self::RedisKilled
            | Self::RedisFlushed
            | Self::RedisDown
            | Self::PostgresKilled
            | Self::PostgresDown
            | Self::RollingRestart => false,
        }
    }

    /// How much longer a reply may take than it would have, of those of so many clients: what a busy machine needs to be itself
    /// again. Beside that, when a worker is lost: the queue waits 10 s for a sign of life, an owner counts as lost after 15 s,
    /// and a worker that cannot tell yet looks again 10 s later (`04-streaming-and-resume`, "Owner and lease"). What a killed
    /// NATS had just handed out comes again when that time is over, too.
    pub(crate) fn may_delay(self, clients: usize) -> Duration {
        let busy = Duration::from_secs(20) + Duration::from_millis(100) * u32::try_from(clients).unwrap();
        match self {
            Self::WorkerKilled | Self::WorkerFrozen | Self::NatsKilled => busy + Duration::from_secs(20),
            Self::GatewayKilled
            | Self::ProjectorKilled
            | Self::RedisKilled
            | Self::RedisFlushed
            | Self::RedisDown
            | Self::PostgresKilled
            | Self::RollingRestart => busy,
            // What is said meanwhile is shown, but nothing ends.
            Self::PostgresDown => busy + DOWN,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GatewayKilled => "kill -9 gateway",
            Self::WorkerKilled => "kill -9 worker",
            Self::ProjectorKilled => "kill -9 projector",
            Self::WorkerFrozen => "worker frozen",
            Self::NatsKilled => "kill -9 nats-server",
            Self::RedisKilled => "kill -9 redis-server",
            Self::RedisFlushed => "redis flushed",
            Self::RedisDown => "redis down",
            Self::PostgresKilled => "postgres immediate",
            Self::PostgresDown => "postgres down",
            Self::RollingRestart => "rolling restart",
        })
    }
}
