//! Servers and clients that die between sending and answering: whatever was acknowledged is there, and beside
//! it at most what was in flight.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use slipstream_eventlog::{AppendError, EventLog, LogOptions, StreamId, Unavailable, Version, migrate};
use slipstream_postgres::{Cluster, Mode, usual_folders};
use slipstream_testkit::TestDatabase;
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::support::{
    RunningLog, World, append, assert_clean, kill_appenders, one, stream, together, whole_feed,
};

const WRITERS: usize = 32;

/// A writer's stream and how many of its events were acknowledged.
type Acknowledged = (StreamId, i64);

/// Appends one event after the other until told to stop, or until the log gives up.
async fn write_until(log: EventLog, stop: Arc<AtomicBool>) -> Acknowledged {
    let own = stream();
    let mut acknowledged = 0;
    while !stop.load(Ordering::Relaxed) {
        match log.append(append(vec![one(own, acknowledged)])).await {
            Ok(_) => acknowledged += 1,
            Err(AppendError::Unavailable(Unavailable::Database(_))) => break,
            Err(other) => panic!("{other:?}"),
        }
    }
    (own, acknowledged)
}

/// Every acknowledged event is there, and of each stream at most one more.
async fn check(log: &EventLog, writers: &[Acknowledged]) {
    for (stream, acknowledged) in writers {
        let events = log.read_stream(*stream, Version::NONE).await.unwrap();
        let recorded = i64::try_from(events.len()).unwrap();
        assert!(
            recorded == *acknowledged || recorded == acknowledged + 1,
            "{recorded} events are recorded, {acknowledged} were acknowledged"
        );
    }
    assert_clean(log).await;
}

/// Where the programs may be besides the usual folders; tests have no configuration to take it from.
#[allow(clippy::disallowed_methods)]
fn path() -> Option<std::ffi::OsString> {
    std::env::var_os("PATH")
}

async fn pool(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(5).connect(url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::open(folder.path(), &usual_folders(path().as_deref()), &[]).await.unwrap();
    let mut writers: Vec<Acknowledged> = Vec::new();
    for _ in 0..3 {
        let pool = pool(&cluster.start().await.unwrap()).await;
        migrate(&pool).await.unwrap();
        let running = RunningLog::start(&pool, LogOptions::default());
        let stop = Arc::new(AtomicBool::new(false));
        let work = together((0..WRITERS).map(|_| write_until(running.log.clone(), stop.clone())));
        let crash = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.stop(Mode::Immediate).await.unwrap();
            // The writers go on as soon as it is back: their batch is sent again.
            cluster.start().await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            stop.store(true, Ordering::Relaxed);
        };
        let (round, ()) = tokio::join!(work, crash);
        assert!(round.iter().all(|(_, acknowledged)| *acknowledged > 0));
        writers.extend(round);
        check(&running.log, &writers).await;
        running.stop().await;
        pool.close().await;
    }
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_reported_and_leaves_at_most_the_batch_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::open(folder.path(), &usual_folders(path().as_deref()), &[]).await.unwrap();
    let away = pool(&cluster.start().await.unwrap()).await;
    migrate(&away).await.unwrap();
    let running = RunningLog::start(&away, LogOptions::default());
    let never = Arc::new(AtomicBool::new(false));
    let work = together((0..WRITERS).map(|_| write_until(running.log.clone(), never.clone())));
    let crash = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.stop(Mode::Immediate).await.unwrap();
    };
    let (writers, ()) = tokio::join!(work, crash);
    running.stop().await;

    let back = pool(&cluster.start().await.unwrap()).await;
    let running = RunningLog::start(&back, LogOptions::default());
    check(&running.log, &writers).await;
    let feed = whole_feed(&running.log).await;
    let beside = feed.iter().filter(|event| {
        writers
            .iter()
            .any(|(stream, acknowledged)| event.stream == *stream && event.version.get() > *acknowledged)
    });
    let mut batches: Vec<_> = beside.map(|event| event.recorded_at).collect();
    batches.dedup();
    assert!(batches.len() <= 1, "unacknowledged events are in {} batches", batches.len());
    running.stop().await;
    for pool in [away, back] {
        pool.close().await;
    }
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_under_load_lose_and_repeat_nothing() {
    let world = World::new().await;
    let stop = Arc::new(AtomicBool::new(false));
    let work = together((0..WRITERS).map(|_| write_until(world.log.clone(), stop.clone())));
    let cut = async {
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            kill_appenders(world.pool()).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (writers, ()) = tokio::join!(work, cut);

    let acknowledged: i64 = writers.iter().map(|(_, acknowledged)| acknowledged).sum();
    assert_eq!(world.log.head().await.unwrap().position.get(), acknowledged);
    check(&world.log, &writers).await;
    world.end().await;
}

#[test]
fn a_client_that_dies_leaves_at_most_its_unanswered_appends() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outer = runtime();
    let database = outer.block_on(TestDatabase::create());
    let url = database.url().to_owned();
    let acknowledged: Arc<Vec<Mutex<Acknowledged>>> =
        Arc::new((0..WRITERS).map(|_| Mutex::new((stream(), 0))).collect());

    let client = runtime();
    let told = acknowledged.clone();
    client.block_on(async move {
        let pool = pool(&url).await;
        let running = RunningLog::start(&pool, LogOptions::default());
        for number in 0..WRITERS {
            let (log, told) = (running.log.clone(), told.clone());
            running.tasks.spawn(async move {
                loop {
                    let (own, version) = *told[number].lock().unwrap();
                    log.append(append(vec![one(own, version)])).await.unwrap();
                    told[number].lock().unwrap().1 += 1;
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
    });
    client.shutdown_background();

    outer.block_on(async {
        // The server may still be at work on the last batch; nobody is told any more.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let writers: Vec<Acknowledged> = acknowledged.iter().map(|writer| *writer.lock().unwrap()).collect();
        assert!(writers.iter().all(|(_, acknowledged)| *acknowledged > 0));
        let running = RunningLog::start(database.pool(), LogOptions::default());
        check(&running.log, &writers).await;
        running.stop().await;
        database.drop().await;
    });
}
