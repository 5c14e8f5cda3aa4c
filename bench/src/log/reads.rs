//! Reads of a log of some hundred thousand events: the feed, and the proof of everything.

use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::json;
use slipstream_eventlog::{
    EventLog, LogOptions as EventLogOptions, Position, StreamId, Verification, Version,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::writers::one_append;
use crate::cli::LogOptions;
use crate::report::{Row, Target, count, median};
use crate::server::Server;

/// Events of a page, as a projector in a rebuild might ask for.
const PAGE: usize = 2000;
/// How the log is filled.
const STREAMS: usize = 8;
const EVENTS_AN_APPEND: usize = 100;

const FEED: &str = "feed, raw pages";
const VERIFY: &str = "log verify";

pub(crate) async fn measure(server: &Server, options: &LogOptions) -> Result<Vec<Row>> {
    if ![FEED, VERIFY].iter().any(|name| name.contains(&options.only)) {
        return Ok(Vec::new());
    }
    let (rounds, events) = if options.quick { (1, 8_000) } else { (options.rounds, 240_000) };
    let database = server.fresh("slipstream_bench_log").await?;
    database.migrate().await?;
    let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
    let log = EventLog::start(database.pool.clone(), EventLogOptions::default(), &tasks, drain.clone());
    try_join_all((0..STREAMS).map(|_| fill(&log, events / STREAMS / EVENTS_AN_APPEND))).await?;
    let (mut feed, mut verify) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        feed.push(read_feed(&log).await?);
        verify.push(verify_all(&log).await?);
    }
    drain.cancel();
    tasks.close();
    tasks.wait().await;
    server.forget(database).await?;
    eprintln!("reads: measured");
    let details = |rounds: &[f64]| json!({ "rounds": rounds, "events": events, "page": PAGE });
    Ok(vec![
        Row::new(FEED, median(feed.clone()), "events/s", Some(Target::AtLeast(400_000.0)), details(&feed)),
        Row::new(VERIFY, median(verify.clone()), "events/s", None, details(&verify)),
    ])
}

async fn fill(log: &EventLog, appends: usize) -> Result<()> {
    let stream = StreamId::from_uuid(Uuid::now_v7());
    let mut version = Version::NONE;
    for _ in 0..appends {
        let appended = log.append(one_append(stream, version, EVENTS_AN_APPEND)).await?;
        version = appended.versions.first().map_or(version, |(_, version)| *version);
    }
    Ok(())
}

async fn read_feed(log: &EventLog) -> Result<f64> {
    let (begin, mut read, mut position) = (Instant::now(), 0, Position::START);
    loop {
        let page = log.feed(position, PAGE).await?;
        let Some(last) = page.last() else { break };
        position = last.position;
        read += page.len();
    }
    Ok(count(read) / begin.elapsed().as_secs_f64())
}

async fn verify_all(log: &EventLog) -> Result<f64> {
    let begin = Instant::now();
    let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let what = Verification { beside: Some((TaskTracker::new(), workers)), ..Verification::default() };
    let report = log.verify(what, |_| {}).await?;
    ensure!(report.is_clean(), "the log has faults: {:?}", report.faults);
    Ok(count(report.events) / begin.elapsed().as_secs_f64())
}
