//! What processes share beside the log: the job queue, the live bus, hints, the state of running streams. In this process'
//! own memory when it is the only one, else NATS and Redis.

use std::sync::Arc;

use anyhow::Context;
use futures::FutureExt;
use slipstream_commands::ports::{JobQueue, LiveBus};
use slipstream_eventlog::{Hints, NoHints};
use slipstream_gateway::Check;
use slipstream_local::{InProcessBus, InProcessQueue, InProcessStreamState};
use slipstream_nats::Nats;
use slipstream_projections::StreamState;
use slipstream_redis::RedisStreamState;

use crate::config::Cluster;
use crate::lifecycle::Lifecycle;

/// The adapters of a process.
pub(crate) struct Ports {
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) bus: Arc<dyn LiveBus>,
    pub(crate) stream_state: Arc<dyn StreamState>,
    /// For one log.
    pub(crate) hints: Arc<dyn Hints>,
    /// Whether they answer, for `/readyz`.
    pub(crate) checks: Vec<Check>,
}

impl Ports {
    /// Of a process that is the only one.
    pub(crate) fn in_process() -> Self {
        Self {
            queue: Arc::new(InProcessQueue::new()),
            bus: Arc::new(InProcessBus::new()),
            stream_state: Arc::new(InProcessStreamState::new()),
            hints: Arc::new(NoHints),
            checks: Vec::new(),
        }
    }

    /// Of one process among others. Redis is not waited for: streams go on without it.
    ///
    /// # Errors
    /// NATS does not accept us, or a setting cannot be used.
    pub(crate) async fn shared(cluster: &Cluster, life: &Lifecycle) -> anyhow::Result<Self> {
        let nats = Nats::connect(cluster.nats.clone(), &life.connections.tasks).await;
        let nats = Arc::new(nats.with_context(|| format!("NATS ({})", places(&cluster.nats.servers)))?);
        let queue = nats.queue(life.front.drain.clone()).await.context("NATS")?;
        let hints = nats.hints().await.context("NATS")?;
        let redis = Arc::new(RedisStreamState::new(&cluster.redis)?);
        let ports = Self {
            queue: Arc::new(queue),
            bus: Arc::new(nats.bus()),
            stream_state: redis.clone(),
            hints: Arc::new(hints),
            checks: vec![nats_check(&nats), redis_check(redis)],
        };
        let closing = life.connections.drain.clone();
        life.connections.tasks.spawn(async move {
            closing.cancelled().await;
            nats.close().await;
        });
        Ok(ports)
    }
}

/// Without it no job arrives and nothing is live; what is asked is kept in the log and goes on when it is back. It is as
/// far away for every other process.
fn nats_check(nats: &Arc<Nats>) -> Check {
    let nats = nats.clone();
    Check {
        name: "nats",
        needed: false,
        ask: Arc::new(move || {
            let connected = nats.is_connected();
            async move { if connected { Ok(()) } else { Err("there is no connection".to_owned()) } }.boxed()
        }),
    }
}

/// Without it readers resume from the log, which is a little behind.
fn redis_check(redis: Arc<RedisStreamState>) -> Check {
    Check {
        name: "redis",
        needed: false,
        ask: Arc::new(move || {
            let redis = redis.clone();
            async move { redis.ping().await.map_err(|error| error.to_string()) }.boxed()
        }),
    }
}

/// Servers as they may be shown: without users and passwords.
fn places(servers: &[String]) -> String {
    let hosts = servers.iter().map(|server| server.rsplit('@').next().unwrap_or_default());
    hosts.collect::<Vec<_>>().join(", ")
}
