//! Sockets as such: idle ones, pings, and a v1 client that comes back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::client::{Client, question};
use super::host::Host;
use super::load::{new_user, sockets};
use super::provider::Pace;
use crate::latency::Latencies;
use crate::report::{Row, Target, count};

/// A user may have a hundred.
const SOCKETS_A_USER: usize = 50;
/// What the gateway asks again of a v1 client that was away: frames of this many sequence numbers.
const GAP: u64 = 2000;

pub(crate) async fn idle(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let number = if quick { 50 } else { 5000 };
    let before = host.usages()?.server.memory;
    let users: Vec<String> = (0..number / SOCKETS_A_USER).map(|_| new_user()).collect();
    let mine = |at: usize| users[at / SOCKETS_A_USER].clone();
    let opening = stream::iter(0..number).map(|at| {
        let email = mine(at);
        async move {
            let mut client = Client::compat(host.address, &email).await?;
            client.ping().await?;
            anyhow::Ok(client)
        }
    });
    let open: Vec<Client> = opening.buffer_unordered(32).try_collect().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = host.usages()?.server.memory;
    let each = (count(after) - count(before)) / count(open.len()) / 1000.0;
    let details = json!({ "sockets": open.len(), "before": before, "after": after });
    Ok(vec![
        Row::new("idle sockets: memory of each", each, "kB", Some(Target::AtMost(8.0)), details),
        Row::new(
            "idle: memory before any",
            count(before) / 1e6,
            "MB",
            Some(Target::AtMost(40.0)),
            Value::Null,
        ),
    ])
}

/// Each socket sends the next when the last is answered.
pub(crate) async fn pings(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let (number, seconds) = if quick { (5, 1) } else { (100, 3) };
    let clients = sockets(host.address, number).await?;
    let before = host.usages()?;
    let (begin, tasks) = (Instant::now(), TaskTracker::new());
    let end = begin + Duration::from_secs(seconds);
    let pinging = clients.into_iter().map(|mut client| {
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                latencies.push(client.ping().await?);
            }
            anyhow::Ok(latencies)
        })
    });
    let mut all = Latencies::new()?;
    let mut pongs = 0;
    for latencies in try_join_all(pinging).await? {
        for latency in latencies? {
            all.record(latency);
            pongs += 1;
        }
    }
    let rate = f64::from(pongs) / begin.elapsed().as_secs_f64();
    let details = json!({
        "sockets": number, "latencyMs": all.quantiles(), "processes": host.usages()?.since(before),
    });
    let target = Target::AtLeast(2.0 * 46_000.0);
    Ok(vec![Row::new(format!("ping → pong, {number} sockets"), rate, "1/s", Some(target), details)])
}

/// A v1 client that missed [`GAP`] sequence numbers of a running reply, again and again: from its `subscribe` until
/// it has them all.
pub(crate) async fn resume(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let rounds = if quick { 3 } else { 100 };
    let email = new_user();
    let mut asker = Client::v1(host.address, &email).await?;
    asker.frame("connection_established").await?;
    // Far ahead of the gap at once is impossible, so it runs on while clients come and go.
    let pace = Pace { chunks: if quick { 4_000 } else { 40_000 }, delay: Duration::from_micros(500) };
    asker.send(&question("new-chat", pace)).await?;
    let ack = asker.frame("ack").await?;
    let conversation = ack["conversationId"].as_str().context("an ack without a conversation")?;
    let generation = ack["generationId"].as_str().context("an ack without a generation")?;
    let mut reached = 0;
    while reached < GAP {
        reached = asker.frame("ai_chat_chunk").await?["seq"].as_u64().unwrap_or(0);
    }
    let mut latencies = Latencies::new()?;
    for _ in 0..rounds {
        let mut back = Client::v1(host.address, &email).await?;
        back.frame("connection_established").await?;
        let since = reached - GAP;
        let begin = Instant::now();
        back.send(&json!({
            "type": "subscribe", "conversationId": conversation, "version": ack["version"],
            "generations": [{ "generationId": generation, "epoch": 1, "seq": since }],
        }))
        .await?;
        reached = caught_up(&mut back, since).await?;
        latencies.record(begin.elapsed());
    }
    asker.send(&json!({ "type": "ai_chat_cancel", "generationId": generation })).await?;
    let latency = latencies.quantiles();
    let details = json!({ "frames": GAP, "rounds": rounds, "latencyMs": latency });
    let work = format!("resume after {GAP} chunks: caught up, p99");
    Ok(vec![Row::new(work, latency.p99, "ms", Some(Target::AtMost(50.0)), details)])
}

/// Reads until the server says that nothing is missing; what it has then.
async fn caught_up(client: &mut Client, since: u64) -> Result<u64> {
    let mut seq = since;
    loop {
        let frame: Value = serde_json::from_str(&client.text().await?)?;
        match frame["type"].as_str() {
            Some("ai_chat_chunk") => seq = frame["seq"].as_u64().unwrap_or(seq),
            Some("caught_up") => break,
            Some("error") => anyhow::bail!("the subscription was refused: {frame}"),
            Some(_) | None => {}
        }
    }
    ensure!(seq >= since + GAP, "caught up at {seq}, which is less than was there");
    Ok(seq)
}
