//! What can be checked of what several processes share: NATS and Redis.

use slipstream_nats::Nats;
use slipstream_redis::RedisStreamState;
use tokio_util::task::TaskTracker;

use super::Finding;
use crate::config::{Cluster, Config};
use crate::database::Place;

/// Nothing when the process is to be the only one.
pub(super) async fn all(config: &Config, place: &Place) -> Vec<Finding> {
    match &config.cluster {
        None => Vec::new(),
        Some(cluster) => vec![shared(place), nats(cluster).await, redis(cluster).await],
    }
}

fn shared(place: &Place) -> Finding {
    match place {
        Place::Server(_) => {
            Finding::ok("processes", "this one shares PostgreSQL, NATS and Redis with others")
        }
        Place::Folder(folder) => Finding::fail(
            "processes",
            format!("NATS and Redis are set, and PostgreSQL is the private one of {}", folder.display()),
            "set database.url (DATABASE_URL), or unset nats.servers and redis.url",
        ),
    }
}

async fn nats(cluster: &Cluster) -> Finding {
    const ADVICE: &str =
        "see that NATS runs with JetStream (`nats-server --jetstream`), and nats.servers (NATS_URL)";
    let connected = Nats::connect(cluster.nats.clone(), &TaskTracker::new()).await;
    let nats = match connected {
        Ok(nats) => nats,
        Err(error) => return Finding::fail("nats", format!("{:#}", anyhow::Error::from(error)), ADVICE),
    };
    let asked = nats.has_jetstream().await;
    nats.close().await;
    match asked {
        Ok(()) => Finding::ok("nats", "answers, with JetStream"),
        Err(error) => Finding::fail("nats", error.to_string(), ADVICE),
    }
}

/// Streams go on without it.
async fn redis(cluster: &Cluster) -> Finding {
    let state = match RedisStreamState::new(&cluster.redis) {
        Ok(state) => state,
        Err(error) => return Finding::fail("redis", error.to_string(), "see redis.url (REDIS_URL)"),
    };
    match state.ping().await {
        Ok(()) => Finding::ok("redis", "answers"),
        Err(error) => {
            let advice =
                "see that Redis runs, and redis.url (REDIS_URL); without it clients resume from the log";
            Finding::warn("redis", error.to_string(), advice)
        }
    }
}
