//! Chats that arrive on a schedule, whatever the server does: what it delays is counted from when it was to begin.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::host::{Host, Usages};
use super::provider::Pace;
use super::tally::{Seen, Tally};
use crate::report::count;

/// Sockets that are opened at once.
const OPENING: usize = 32;

/// A load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// One socket and one user each.
    pub(crate) chats: usize,
    pub(crate) pace: Pace,
    /// Arrivals; none is all at once.
    pub(crate) per_second: Option<f64>,
}

/// What it came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) seen: Seen,
    pub(crate) failed: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) usages: Usages,
}

impl Done {
    pub(crate) fn chunks_per_second(&self) -> f64 {
        count(self.seen.chunks) / self.seconds
    }

    /// Of the server's process.
    pub(crate) fn cpu_ms_per_chunk(&self) -> f64 {
        self.usages.server.cpu_s * 1000.0 / count(self.seen.chunks)
    }

    pub(crate) fn details(&self) -> Value {
        let per_chunk = |cpu_s: f64| cpu_s * 1000.0 / count(self.seen.chunks);
        json!({
            "chunks": self.seen.chunks,
            "seconds": self.seconds,
            "chunksPerSecond": self.chunks_per_second(),
            "firstChunkMs": self.seen.first,
            "addedMs": self.seen.added,
            "failed": self.failed.len(),
            "failures": self.failed.iter().take(3).collect::<Vec<_>>(),
            "cpuMsPerChunk": {
                "server": per_chunk(self.usages.server.cpu_s),
                "postgres": per_chunk(self.usages.postgres.cpu_s),
                "provider": per_chunk(self.usages.provider.cpu_s),
                "bench": per_chunk(self.usages.bench.cpu_s),
            },
            "processes": self.usages,
        })
    }
}

/// Users nobody has been before.
pub(crate) fn new_user() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("bench-{}-{}@example.com", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Opens so many sockets, each of a user of its own, each known to the server.
pub(crate) async fn sockets(server: SocketAddr, number: usize) -> Result<Vec<Client>> {
    let opening = stream::iter(0..number).map(|_| async move {
        let mut client = Client::compat(server, &new_user()).await?;
        client.ping().await?;
        anyhow::Ok(client)
    });
    opening.buffer_unordered(OPENING).try_collect().await
}

/// Runs a load against the server.
pub(crate) async fn run(host: &Host, load: Load) -> Result<Done> {
    let clients = sockets(host.address, load.chats).await?;
    let before = host.usages()?;
    let (seen, failed, seconds) = chats(clients, load).await?;
    let usages = host.usages()?.since(before);
    Ok(Done { seen, failed, seconds, usages })
}

/// One chat on each of the sockets; what was seen, what failed, and how long it took.
pub(crate) async fn chats(clients: Vec<Client>, load: Load) -> Result<(Seen, Vec<String>, f64)> {
    let (tally, tasks) = (Arc::new(Tally::new()?), TaskTracker::new());
    let begin = Instant::now();
    let chats = clients.into_iter().enumerate().map(|(number, mut client)| {
        let tally = Arc::clone(&tally);
        let after = load.per_second.map_or(0.0, |rate| count(number) / rate);
        let scheduled = begin + Duration::from_secs_f64(after);
        tasks.spawn(async move {
            tokio::time::sleep_until(scheduled.into()).await;
            let chat = client.chat(load.pace, scheduled, &tally).await;
            chat.map(|()| client)
        })
    });
    let chats: Vec<_> = chats.collect();
    // The sockets stay open until all are done, so that no goodbye is measured.
    let ended = join_all(chats).await;
    let seconds = begin.elapsed().as_secs_f64();
    let failed = ended.into_iter().filter_map(|chat| match chat {
        Ok(Ok(_client)) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(error) => Some(error.to_string()),
    });
    Ok((tally.seen(), failed.collect(), seconds))
}
