//! Work that one process at a time does for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slipstream_eventlog::while_leased;
use slipstream_testkit::TestDatabase;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PATIENCE: Duration = Duration::from_secs(20);

/// One of several processes that want to do the same work.
struct Process {
    /// How often it began, less how often it stopped.
    at_work: Arc<AtomicUsize>,
    drain: CancellationToken,
    running: JoinHandle<()>,
}

impl Process {
    fn start(pool: &PgPool, owner: &str) -> Self {
        let (at_work, drain) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let counted = at_work.clone();
        let work = move |stop: CancellationToken| {
            let counted = counted.clone();
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                stop.cancelled().await;
                counted.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let waiting = while_leased(pool.clone(), "work", owner.to_owned(), drain.clone(), work);
        let running = TaskTracker::new().spawn(waiting);
        Self { at_work, drain, running }
    }

    fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::SeqCst) > 0
    }

    async fn begins(&self) {
        let waiting = async {
            while !self.is_at_work() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("it gets to work");
    }

    async fn drains(self) {
        self.drain.cancel();
        timeout(PATIENCE, self.running).await.expect("it ends").unwrap();
    }
}

#[tokio::test]
async fn one_works_and_another_follows_it_when_it_drains() {
    let db = TestDatabase::create().await;
    let first = Process::start(db.pool(), "first");
    first.begins().await;
    let second = Process::start(db.pool(), "second");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(first.is_at_work() && !second.is_at_work());
    first.drains().await;
    second.begins().await;
    second.drains().await;
}

#[tokio::test]
async fn one_that_dies_without_a_word_is_followed_when_its_lease_ends() {
    let db = TestDatabase::create().await;
    let first = Process::start(db.pool(), "first");
    first.begins().await;
    first.running.abort();
    let second = Process::start(db.pool(), "second");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!second.is_at_work(), "the lease holds still");
    second.begins().await;
    second.drains().await;
}

#[tokio::test]
async fn one_that_starts_again_under_its_name_has_its_lease_at_once() {
    let db = TestDatabase::create().await;
    let first = Process::start(db.pool(), "the only one");
    first.begins().await;
    first.running.abort();
    let again = Process::start(db.pool(), "the only one");
    timeout(Duration::from_secs(3), again.begins()).await.expect("at once");
    again.drains().await;
}

#[tokio::test]
async fn one_whose_lease_another_has_taken_stops() {
    let db = TestDatabase::create().await;
    let first = Process::start(db.pool(), "first");
    first.begins().await;
    // What a process finds that was frozen for longer than its lease.
    sqlx::query("UPDATE es.lease SET owner = 'second'").execute(db.pool()).await.unwrap();
    let stopped = async {
        while first.is_at_work() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, stopped).await.expect("it stops");
    first.drains().await;
}
