//! Loads of chats, and what is wanted of each. The targets that `09-targets` names as multiples of the TypeScript
//! server stand here as the numbers they come to.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::client::Client;
use super::host::Host;
use super::load::{self, Done, Load};
use super::provider::Pace;
use crate::report::{Row, Target, count, median};
use crate::role::Role;

/// For how long the server gathers deltas after the first (`workers`).
const WINDOW_MS: f64 = 25.0;
const FULL_SPEED: Duration = Duration::ZERO;

struct Burst {
    chats: usize,
    chunks_per_second: Option<f64>,
    /// Of the server's process: a fifth of the TypeScript server's.
    cpu_ms_per_chunk: Option<f64>,
    first_p50_ms: Option<f64>,
}

const BURSTS: [Burst; 4] = [
    Burst { chats: 10, chunks_per_second: Some(43_500.0), cpu_ms_per_chunk: Some(0.026), first_p50_ms: None },
    Burst {
        chats: 100,
        chunks_per_second: Some(46_000.0),
        cpu_ms_per_chunk: Some(0.024),
        first_p50_ms: Some(60.0),
    },
    Burst { chats: 500, chunks_per_second: None, cpu_ms_per_chunk: None, first_p50_ms: Some(400.0) },
    Burst { chats: 1000, chunks_per_second: None, cpu_ms_per_chunk: None, first_p50_ms: Some(400.0) },
];

/// All chats at the same moment, the provider at full speed.
pub(crate) async fn bursts(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for burst in BURSTS.iter().take(if quick { 1 } else { BURSTS.len() }) {
        let pace = Pace { chunks: 200, delay: FULL_SPEED };
        let done = load::run(host, Load { chats: burst.chats, pace, per_second: None }).await?;
        let work = format!("{} at once, 200 chunks", burst.chats);
        rows.push(Row::new(
            format!("{work}: rate"),
            done.chunks_per_second(),
            "chunks/s",
            burst.chunks_per_second.map(Target::AtLeast),
            done.details(),
        ));
        let cpu = burst.cpu_ms_per_chunk.map(Target::AtMost);
        rows.push(Row::new(
            format!("{work}: CPU of the server"),
            done.cpu_ms_per_chunk(),
            "ms/chunk",
            cpu,
            Value::Null,
        ));
        let first = burst.first_p50_ms.map(Target::AtMost);
        rows.push(Row::new(
            format!("{work}: first chunk p50"),
            done.seen.first.p50,
            "ms",
            first,
            Value::Null,
        ));
        rows.push(failures(&work, &done));
    }
    Ok(rows)
}

/// The server beside a relay that keeps nothing, in turns.
pub(crate) async fn floor(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let (chats, rounds) = if quick { (5, 1) } else { (100, 3) };
    let load = Load { chats, pace: Pace { chunks: 200, delay: FULL_SPEED }, per_second: None };
    let provider = host.provider_address.to_string();
    let mut relay = Role::start(&["relay".to_owned(), "--provider".to_owned(), provider])?;
    let (address, pid) = (relay.line().await?.parse()?, relay.pid()?);
    let (mut ratios, mut relays, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut clients = Vec::new();
        for _ in 0..load.chats {
            clients.push(Client::compat(address, "nobody@example.com").await?);
        }
        let before = crate::processes::of(pid);
        let (seen, failed, seconds) = load::chats(clients, load).await?;
        anyhow::ensure!(failed.is_empty(), "the relay failed: {failed:?}");
        let relay_ms = crate::processes::of(pid).since(before).cpu_s * 1000.0 / count(seen.chunks);
        let ours = load::run(host, load).await?;
        // The clock of CPU time ticks each 10 ms: a load too small for it has no ratio.
        ratios.push(if relay_ms > 0.0 { ours.cpu_ms_per_chunk() / relay_ms } else { 0.0 });
        relays.push(json!({
            "cpuMsPerChunk": relay_ms, "chunksPerSecond": count(seen.chunks) / seconds,
            "firstChunkMs": seen.first, "addedMs": seen.added,
        }));
        added.push(ours.details());
    }
    let details = json!({ "ratios": ratios, "relay": relays, "server": added });
    let work = format!("{chats} at once beside the floor: CPU of the server");
    Ok(vec![Row::new(work, median(ratios), "× the relay's", Some(Target::AtMost(3.0)), details)])
}

/// Arrivals on a schedule, a chunk each 20 ms.
pub(crate) async fn steady(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let (rates, seconds): (&[f64], f64) =
        if quick { (&[5.0], 1.0) } else { (&[5.0, 12.5, 25.0, 200.0], 10.0) };
    for rate in rates {
        let pace = Pace { chunks: if quick { 10 } else { 100 }, delay: Duration::from_millis(20) };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let chats = (rate * seconds) as usize;
        let done = load::run(host, Load { chats, pace, per_second: Some(*rate) }).await?;
        let work = format!("steady {rate} chats/s, 20 ms a chunk");
        let row = |what: &str, value, unit, most, details| {
            Row::new(format!("{work}: {what}"), value, unit, Some(Target::AtMost(most)), details)
        };
        let seen = done.seen;
        rows.push(row("first chunk p50", seen.first.p50, "ms", 10.0, done.details()));
        rows.push(row("first chunk p99", seen.first.p99, "ms", 25.0, Value::Null));
        rows.push(row("added p99", seen.added.p99, "ms", WINDOW_MS + 5.0, Value::Null));
        rows.push(row("CPU of the server", done.cpu_ms_per_chunk(), "ms/chunk", 0.03, Value::Null));
        rows.push(failures(&work, &done));
    }
    Ok(rows)
}

/// One reply, longer and longer: a chunk costs the same, and memory does not grow with it but for the text.
pub(crate) async fn long_reply(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let lengths: &[usize] = if quick { &[500, 1_000] } else { &[20_000, 100_000] };
    let short = 500;
    // As many chunks as the first long one has, so that the clock of CPU time can tell.
    let mut rows = Vec::new();
    let mut baseline = None;
    for (repeats, chunks) in
        std::iter::once((lengths[0] / short, short)).chain(lengths.iter().map(|length| (1, *length)))
    {
        let before = host.usages()?.server.memory;
        let pace = Pace { chunks, delay: FULL_SPEED };
        let (mut cpu_s, mut all, mut details) = (0.0, 0, Value::Null);
        for _ in 0..repeats {
            let done = load::run(host, Load { chats: 1, pace, per_second: None }).await?;
            anyhow::ensure!(done.failed.is_empty(), "{:?}", done.failed);
            cpu_s += done.usages.server.cpu_s + done.usages.postgres.cpu_s;
            all += done.seen.chunks;
            details = done.details();
        }
        let grown = (count(host.usages()?.server.memory) - count(before)) / 1e6;
        let cost = cpu_s * 1000.0 / count(all);
        let work = format!("long reply of {chunks} chunks");
        let Some(baseline) = baseline else {
            baseline = Some(cost);
            rows.push(Row::new(format!("{work}: CPU with PostgreSQL"), cost, "ms/chunk", None, details));
            continue;
        };
        let ratio = if baseline > 0.0 { cost / baseline } else { 0.0 };
        let details = json!({ "cpuMsPerChunk": cost, "last": details });
        rows.push(Row::new(
            format!("{work}: CPU a chunk"),
            ratio,
            "× of 500",
            Some(Target::AtMost(1.1)),
            details,
        ));
        rows.push(Row::new(
            format!("{work}: memory grown"),
            grown,
            "MB",
            Some(Target::AtMost(8.0 + count(chunks * super::stamp::CHUNK_BYTES) / 1e6)),
            Value::Null,
        ));
    }
    Ok(rows)
}

/// A chat of one chunk, when much is stored and when nothing is.
pub(crate) async fn history(host: &Host, quick: bool) -> Result<Vec<Row>> {
    let (probes, stored) = if quick { (5, 20) } else { (200, 20_000) };
    let pace = Pace { chunks: 1, delay: FULL_SPEED };
    // One after the other, nearly: what is measured is the chat, not the crowd.
    let probe = Load { chats: probes, pace, per_second: Some(100.0) };
    let before = load::run(host, probe).await?;
    let mut filled = 2 * probes;
    while filled < stored {
        let chats = 500.min((stored - filled) / 2).max(1);
        let done = load::run(host, Load { chats, pace, per_second: None }).await?;
        anyhow::ensure!(done.failed.is_empty(), "{:?}", done.failed);
        filled += 2 * chats;
    }
    // What is left to do for the chats before is not the history's doing.
    host.caught_up().await?;
    let after = load::run(host, probe).await?;
    let ratio = after.seen.first.p50 / before.seen.first.p50;
    let details = json!({ "messages": filled, "before": before.details(), "after": after.details() });
    let work = format!("history of {filled} messages: first chunk p50 of a 1-chunk chat");
    Ok(vec![Row::new(work, ratio, "× of none", Some(Target::AtMost(1.1)), details)])
}

fn failures(work: &str, done: &Done) -> Row {
    let details = json!(done.failed.iter().take(3).collect::<Vec<_>>());
    Row::new(format!("{work}: failed"), count(done.failed.len()), "chats", Some(Target::AtMost(0.0)), details)
}
