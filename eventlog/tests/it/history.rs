//! A history checker: many writers on several logs fight over a few streams while their connections are cut
//! and readers follow. Afterwards every answer must be explained by the one order the log has recorded.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::IteratorRandom};
use slipstream_eventlog::{
    Append, AppendError, Appended, CommandId, EventLog, LogOptions, Position, Recorded, StreamId,
};

use crate::support::{World, append, event, kill_appenders, stream, to, together, whole_feed};

const WRITERS: u64 = 24;
const APPENDS: usize = 40;
const STREAMS: usize = 6;

/// One call of a writer: what it asked, what it was told, and when by a clock all writers share.
struct Call {
    append: Append,
    answer: Result<Appended, AppendError>,
    started: u64,
    ended: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_explained_by_the_recorded_order() {
    let world = World::new().await;
    let others = [world.another(LogOptions::default()), world.another(LogOptions::default())];
    let logs = [&world.log, &others[0].log, &others[1].log];
    let streams: Arc<Vec<StreamId>> = Arc::new((0..STREAMS).map(|_| stream()).collect());
    let (clock, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));

    let writers = (0..WRITERS).map(|seed| {
        let log = logs[usize::try_from(seed).unwrap() % logs.len()].clone();
        write(log, seed, streams.clone(), clock.clone())
    });
    let followers = (0..2).map(|n| follow(logs[n + 1].clone(), done.clone()));
    let (calls, followed, ()) = tokio::join!(
        async {
            let calls = together(writers).await;
            done.store(true, Ordering::Relaxed);
            calls
        },
        together(followers),
        cut_connections(&world, &done),
    );

    let calls: Vec<Call> = calls.into_iter().flatten().collect();
    let events = whole_feed(&world.log).await;
    for seen in followed {
        assert_eq!(seen, events, "a follower was given something else than the log holds");
    }
    check_streams(&events);
    check_commands(&calls, &events);
    check_preconditions(&calls, &events);
    check_real_time(&calls);
    check_conflicts(&calls);
    for other in others {
        other.stop().await;
    }
    world.end().await;
}

/// Appends to one or two streams, often on stale knowledge, sometimes guarded, sometimes a repeat.
async fn write(log: EventLog, seed: u64, streams: Arc<Vec<StreamId>>, clock: Arc<AtomicU64>) -> Vec<Call> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut known: HashMap<StreamId, i64> = HashMap::new();
    let mut calls: Vec<Call> = Vec::new();
    for _ in 0..APPENDS {
        let append = if random.random_ratio(1, 8) && !calls.is_empty() {
            calls[random.random_range(..calls.len())].append.clone()
        } else {
            let chosen = streams.iter().copied().sample(&mut random, 3);
            let version = |stream| known.get(&stream).copied().unwrap_or(0);
            let slots = chosen[..random.random_range(1..=2)].iter().map(|stream| {
                let events = (0..random.random_range(1..=3)).map(|_| event()).collect();
                to(*stream, version(*stream), events)
            });
            let mut append = append(slots.collect());
            if random.random_ratio(1, 3) {
                let stream = chosen[2];
                let version = slipstream_eventlog::Version::new(version(stream));
                append.guards.push(slipstream_eventlog::Guard { stream, version });
            }
            append
        };
        let started = clock.fetch_add(1, Ordering::SeqCst);
        let answer = log.append(append.clone()).await;
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        match &answer {
            Ok(appended) => {
                known.extend(appended.versions.iter().map(|(stream, version)| (*stream, version.get())));
            }
            Err(AppendError::Conflict { stream, actual }) => {
                known.insert(*stream, actual.get());
            }
            Err(_) => {}
        }
        calls.push(Call { append, answer, started, ended });
    }
    calls
}

async fn follow(log: EventLog, done: Arc<AtomicBool>) -> Vec<Recorded> {
    let mut wakes = log.wakes();
    let mut seen: Vec<Recorded> = Vec::new();
    loop {
        let last = done.load(Ordering::Relaxed);
        let after = seen.last().map_or(Position::START, |event| event.position);
        let page = log.feed(after, 50).await.unwrap();
        if !page.is_empty() {
            seen.extend(page);
        } else if last {
            return seen;
        } else {
            wakes.changed().await;
        }
    }
}

async fn cut_connections(world: &World, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(60)).await;
        kill_appenders(world.pool()).await;
    }
}

/// Versions count 1, 2, 3 … in the global order, and time never runs back.
fn check_streams(events: &[Recorded]) {
    let mut versions: HashMap<StreamId, i64> = HashMap::new();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position.get(), position);
        let version = versions.entry(event.stream).or_default();
        *version += 1;
        assert_eq!(event.version.get(), *version);
    }
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
}

/// Every acknowledged append is there once, where its answer said; nothing is there that nobody appended.
fn check_commands(calls: &[Call], events: &[Recorded]) {
    let mut recorded: HashMap<CommandId, Vec<&Recorded>> = HashMap::new();
    for event in events {
        recorded.entry(event.command_id).or_default().push(event);
    }
    let mut written = 0;
    for call in calls {
        let appended = match &call.answer {
            Ok(appended) => {
                written += 1;
                appended
            }
            Err(AppendError::Duplicate(appended)) => appended,
            Err(AppendError::Conflict { .. }) => continue,
            Err(other) => panic!("{other:?}"),
        };
        let own = &recorded[&call.append.command_id];
        assert_eq!((own[0].position, own[own.len() - 1].position), (appended.first, appended.last));
        assert_eq!(appended.last.get() - appended.first.get() + 1, i64::try_from(own.len()).unwrap());
        let asked = call
            .append
            .streams
            .iter()
            .flat_map(|slot| slot.events.iter().map(|event| (slot.stream, &event.data)));
        let found = own.iter().map(|event| (event.stream, &event.payload.as_ref().unwrap().data));
        assert!(
            asked
                .map(|(stream, data)| (stream, data.replace(' ', "")))
                .eq(found.map(|(stream, data)| (stream, data.replace(' ', ""))))
        );
    }
    assert_eq!(written, recorded.len(), "each recorded command was acknowledged to exactly one call");
}

/// Expectations and guards held at the moment the append was recorded.
fn check_preconditions(calls: &[Call], events: &[Recorded]) {
    let version_before = |stream: StreamId, position: Position| {
        events.iter().filter(|event| event.stream == stream && event.position < position).count()
    };
    for call in calls {
        let Ok(appended) = &call.answer else { continue };
        let expected = call.append.streams.iter().map(|slot| (slot.stream, slot.expected.version()));
        let guarded = call.append.guards.iter().map(|guard| (guard.stream, guard.version));
        for (stream, version) in expected.chain(guarded) {
            assert_eq!(i64::try_from(version_before(stream, appended.first)).unwrap(), version.get());
        }
    }
}

/// What was answered before another call started comes before it.
fn check_real_time(calls: &[Call]) {
    let mut written: Vec<_> =
        calls.iter().filter_map(|call| Some((call, call.answer.as_ref().ok()?))).collect();
    written.sort_by_key(|(_, appended)| appended.first);
    let mut latest_start = 0;
    for (call, appended) in written {
        assert!(
            call.ended > latest_start,
            "{appended:?} was answered before one recorded earlier had started"
        );
        latest_start = latest_start.max(call.started);
    }
}

/// A conflict told a version the stream had at some moment of the call.
fn check_conflicts(calls: &[Call]) {
    let reached = |stream: StreamId, by: &dyn Fn(&Call) -> bool| {
        let written = calls.iter().filter(|call| by(call)).filter_map(|call| call.answer.as_ref().ok());
        let versions = written.flat_map(|appended| &appended.versions).filter(move |(of, _)| *of == stream);
        versions.map(|(_, version)| version.get()).max().unwrap_or(0)
    };
    for call in calls {
        let Err(AppendError::Conflict { stream, actual }) = &call.answer else { continue };
        assert!(
            actual.get() >= reached(*stream, &|other| other.ended < call.started),
            "an old version was told"
        );
        assert!(
            actual.get() <= reached(*stream, &|other| other.started < call.ended),
            "a future version was told"
        );
    }
}
