//! The feed: contiguous, awake, and undisturbed by what others do in the database.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use slipstream_eventlog::{FeedError, HintTopic, Hints, LogOptions, Position, ReadError};
use tokio::sync::mpsc;

use crate::support::{World, append, grow, one, stream, whole_feed};

#[tokio::test]
async fn the_feed_is_the_same_in_pages_of_any_size() {
    let world = World::new().await;
    for _ in 0..20 {
        grow(&world.log, stream(), 3).await;
    }
    let whole = whole_feed(&world.log).await;
    assert!(whole.iter().map(|event| event.position.get()).eq(1..=60));
    for limit in [1, 7, 60, 1000] {
        let page = world.log.feed(Position::new(10), limit).await.unwrap();
        assert!(page.iter().eq(whole[10..].iter().take(limit)));
    }
    assert!(world.log.feed(Position::new(60), 10).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn envelopes_are_those_of_the_feed() {
    let world = World::new().await;
    for _ in 0..5 {
        grow(&world.log, stream(), 3).await;
    }
    let whole = whole_feed(&world.log).await;
    let envelopes = world.log.envelopes(Position::new(4), 7).await.unwrap();
    assert_eq!(envelopes.len(), 7);
    for (envelope, event) in envelopes.iter().zip(&whole[4..]) {
        assert_eq!((envelope.position, envelope.stream), (event.position, event.stream));
        assert_eq!((envelope.version, envelope.category), (event.version, event.category));
        assert_eq!((envelope.owner, envelope.correlation), (event.owner, event.correlation));
        assert_eq!(envelope.event_type, *event.event_type);
    }
    world.end().await;
}

#[tokio::test]
async fn a_gap_stops_the_feed_behind_the_last_whole_event() {
    let world = World::new().await;
    grow(&world.log, stream(), 10).await;
    sqlx::query("DELETE FROM es.event WHERE position IN (5, 6)").execute(world.pool()).await.unwrap();

    assert_eq!(world.log.feed(Position::START, 10).await.unwrap().len(), 4);
    match world.log.feed(Position::new(4), 10).await {
        Err(FeedError::Gap { expected, found }) => assert_eq!((expected.get(), found.get()), (5, 7)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(world.log.envelopes(Position::new(4), 10).await, Err(FeedError::Gap { .. })));
    world.end_faulty().await;
}

#[tokio::test]
async fn a_lost_database_is_an_error_that_can_be_tried_again() {
    let world = World::new().await;
    let log = world.log.clone();
    world.pool().close().await;
    assert!(matches!(
        log.feed(Position::START, 1).await,
        Err(FeedError::Read(ReadError::Database(sqlx::Error::PoolClosed)))
    ));
    world.end_faulty().await;
}

#[tokio::test]
async fn a_reader_that_is_armed_before_it_reads_misses_no_commit() {
    let world = World::new().await;
    let mut wakes = world.log.wakes();
    let start = Instant::now();
    for n in 0..50 {
        assert_eq!(world.log.feed(Position::new(n), 10).await.unwrap().len(), 0);
        // The commit comes between reading and waiting.
        grow(&world.log, stream(), 1).await;
        wakes.changed().await;
    }
    assert!(start.elapsed() < Duration::from_secs(10), "woken by the poll, not by the commits");
    world.end().await;
}

#[tokio::test]
async fn without_any_hint_a_reader_looks_once_a_second() {
    let world = World::new().await;
    let mut wakes = world.log.wakes();
    let start = Instant::now();
    wakes.changed().await;
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(900) && waited < Duration::from_secs(3), "{waited:?}");
    world.end().await;
}

/// One end of a wire between two processes.
struct Wire {
    to: mpsc::Sender<(HintTopic, Position)>,
    from: tokio::sync::Mutex<mpsc::Receiver<(HintTopic, Position)>>,
    sent: AtomicU64,
    last: Mutex<Option<Position>>,
}

fn wire() -> (Arc<Wire>, Arc<Wire>) {
    let end = |to, from| {
        Arc::new(Wire {
            to,
            from: tokio::sync::Mutex::new(from),
            sent: AtomicU64::new(0),
            last: Mutex::default(),
        })
    };
    // More than a test sends.
    let (left, right) = (mpsc::channel(10_000), mpsc::channel(10_000));
    (end(left.0, right.1), end(right.0, left.1))
}

#[async_trait]
impl Hints for Wire {
    fn hint(&self, topic: HintTopic, position: Position) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap() = Some(position);
        self.to.try_send((topic, position)).unwrap();
    }

    async fn next(&self) -> (HintTopic, Position) {
        match self.from.lock().await.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_commit_in_one_process_wakes_readers_in_another_and_echoes_nothing() {
    let (left, right) = wire();
    let world = World::with(LogOptions { hints: left.clone(), ..LogOptions::default() }).await;
    let other = world.another(LogOptions { hints: right.clone(), ..LogOptions::default() });
    let mut wakes = other.log.wakes();
    let start = Instant::now();
    for n in 1..=10 {
        grow(&world.log, stream(), 1).await;
        while other.log.feed(Position::new(n - 1), 1).await.unwrap().is_empty() {
            wakes.changed().await;
        }
        wakes.changed().await;
    }
    assert!(start.elapsed() < Duration::from_secs(5), "woken by the poll, not by hints");
    assert_eq!(right.sent.load(Ordering::Relaxed), 0);
    other.stop().await;
    world.end().await;
}

#[tokio::test]
async fn hints_are_coalesced_and_the_last_one_is_always_sent() {
    let (left, _right) = wire();
    let world = World::with(LogOptions { hints: left.clone(), ..LogOptions::default() }).await;
    let start = Instant::now();
    for _ in 0..300 {
        grow(&world.log, stream(), 1).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let allowed = 2 + u64::try_from(start.elapsed().as_millis()).unwrap() / 20;
    let sent = left.sent.load(Ordering::Relaxed);
    assert!(sent > 0 && sent <= allowed, "{sent} hints, {allowed} allowed");
    assert_eq!(*left.last.lock().unwrap(), Some(Position::new(300)));
    world.end().await;
}

#[tokio::test]
async fn an_open_snapshot_and_a_foreign_write_transaction_hold_up_neither_appends_nor_the_feed() {
    let world = World::new().await;
    grow(&world.log, stream(), 1).await;
    sqlx::query("CREATE TABLE foreign_table (n int)").execute(world.pool()).await.unwrap();
    let mut snapshot = world.pool().begin().await.unwrap();
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *snapshot).await.unwrap();
    sqlx::query("SELECT count(*) FROM es.event").execute(&mut *snapshot).await.unwrap();
    let mut writer = world.pool().begin().await.unwrap();
    sqlx::query("INSERT INTO foreign_table VALUES (1)").execute(&mut *writer).await.unwrap();

    let growing = stream();
    for version in 0..500 {
        let written = world.log.append(append(vec![one(growing, version)])).await.unwrap();
        let fed = world.log.feed(Position::new(written.first.get() - 1), 10).await.unwrap();
        assert_eq!(fed.len(), 1, "answered means visible");
    }

    writer.rollback().await.unwrap();
    snapshot.rollback().await.unwrap();
    world.end().await;
}
