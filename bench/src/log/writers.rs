//! Writers on a log in a process of their own: each appends to its own stream, one append after the other.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use slipstream_eventlog::{
    Append, AppendError, Category, CommandId, CorrelationId, EventLog, Expected, LogOptions, NewEvent,
    StreamAppend, StreamId, Version,
};
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::PAYLOAD;
use crate::cli::WritersOptions;
use crate::latency::{Latencies, Quantiles};
use crate::processes;
use crate::role::{self, Role};

/// What one process has written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) appends: u64,
    pub(crate) conflicts: u64,
    pub(crate) seconds: f64,
    /// Milliseconds from the call to the answer.
    pub(crate) latency: Quantiles,
    pub(crate) cpu_s: f64,
}

/// The child's side: connects, waits for the cue, writes, and tells.
pub(crate) async fn run(options: WritersOptions) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(4).connect(&options.database_url).await?;
    let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
    let log = EventLog::start(pool, LogOptions::default(), &tasks, drain.clone());
    // The log connects when it first has to: not in the time that is measured.
    log.append(one_append(StreamId::from_uuid(Uuid::now_v7()), Version::NONE, 1)).await?;
    role::say("ready");
    role::await_cue().await?;
    let written = write(&log, &options).await?;
    drain.cancel();
    tasks.close();
    tasks.wait().await;
    role::say(&serde_json::to_string(&written)?);
    Ok(())
}

/// The parent's side: `processes` of them at once.
pub(crate) async fn in_processes(processes: usize, arguments: &[String]) -> Result<Vec<Written>> {
    let mut roles = (0..processes).map(|_| Role::start(arguments)).collect::<Result<Vec<_>>>()?;
    for role in &mut roles {
        role.line().await?;
    }
    for role in &mut roles {
        role.cue().await?;
    }
    let mut written = Vec::new();
    for role in &mut roles {
        written.push(serde_json::from_str(&role.line().await?)?);
        role.ended().await?;
    }
    Ok(written)
}

async fn write(log: &EventLog, options: &WritersOptions) -> Result<Written> {
    let (before, begin) = (processes::own(), Instant::now());
    let end = begin + Duration::from_secs(options.seconds.into());
    // Tasks, so that they are on all processors as a server's requests are.
    let tasks = TaskTracker::new();
    let writers = (0..options.writers).map(|_| tasks.spawn(writer(log.clone(), options.events, end)));
    let mut all = Latencies::new()?;
    let mut conflicts = 0;
    let mut appends = 0;
    for writer in try_join_all(writers).await? {
        let (latencies, lost) = writer?;
        conflicts += lost;
        for latency in latencies {
            appends += 1;
            all.record(latency);
        }
    }
    let cpu_s = processes::own().since(before).cpu_s;
    Ok(Written {
        appends,
        conflicts,
        seconds: begin.elapsed().as_secs_f64(),
        latency: all.quantiles(),
        cpu_s,
    })
}

async fn writer(log: EventLog, events: usize, end: Instant) -> Result<(Vec<Duration>, u64)> {
    let stream = StreamId::from_uuid(Uuid::now_v7());
    let (mut version, mut latencies, mut conflicts) = (Version::NONE, Vec::new(), 0);
    while Instant::now() < end {
        let begin = Instant::now();
        match log.append(one_append(stream, version, events)).await {
            Ok(appended) => {
                version = appended.versions.first().map_or(version, |(_, version)| *version);
                latencies.push(begin.elapsed());
            }
            Err(AppendError::Conflict { actual, .. }) => {
                version = actual;
                conflicts += 1;
            }
            Err(error) => bail!(error),
        }
    }
    Ok((latencies, conflicts))
}

/// So many events to one stream.
pub(crate) fn one_append(stream: StreamId, version: Version, events: usize) -> Append {
    let event =
        NewEvent { event_type: "ChunksRecorded", schema_version: 1, data: PAYLOAD.to_owned(), sealed: None };
    let append = StreamAppend {
        stream,
        category: Category(1),
        owner: Some(slipstream_eventlog::OwnerId::from_uuid(stream.as_uuid())),
        correlation: CorrelationId::from_uuid(stream.as_uuid()),
        causation: None,
        expected: Expected::Exact(version),
        events: vec![event; events],
        close: false,
    };
    Append { streams: vec![append], command_id: CommandId::from_uuid(Uuid::now_v7()), guards: Vec::new() }
}
