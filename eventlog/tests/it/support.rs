//! A log on a fresh database, and short ways to say what a test appends.

use slipstream_eventlog::{
    Append, Appended, Category, CommandId, CorrelationId, EventLog, Expected, Guard, LogOptions, NewEvent,
    Position, Recorded, StreamAppend, StreamId, Verification, Version,
};
use slipstream_testkit::TestDatabase;
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub(crate) const CATEGORY: Category = Category(1);

/// A log and the tasks it runs.
pub(crate) struct RunningLog {
    pub(crate) log: EventLog,
    pub(crate) tasks: TaskTracker,
    drain: CancellationToken,
}

impl RunningLog {
    pub(crate) fn start(pool: &PgPool, options: LogOptions) -> Self {
        let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
        let log = EventLog::start(pool.clone(), options, &tasks, drain.clone());
        Self { log, tasks, drain }
    }

    /// Drains the log and waits for all its tasks.
    pub(crate) async fn stop(self) {
        self.drain.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A log on a database of its own.
pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) running: RunningLog,
    pub(crate) log: EventLog,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(LogOptions::default()).await
    }

    pub(crate) async fn with(options: LogOptions) -> Self {
        let database = TestDatabase::create().await;
        let running = RunningLog::start(database.pool(), options);
        let log = running.log.clone();
        Self { database, running, log }
    }

    /// A second log on the same database, as another process would have it.
    pub(crate) fn another(&self, options: LogOptions) -> RunningLog {
        RunningLog::start(self.database.pool(), options)
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    /// Ends the test: the log must be without fault.
    pub(crate) async fn end(self) {
        assert_clean(&self.log).await;
        self.end_faulty().await;
    }

    /// Ends a test that has damaged its log.
    pub(crate) async fn end_faulty(self) {
        drop(self.log);
        self.running.stop().await;
        self.database.drop().await;
    }
}

pub(crate) async fn assert_clean(log: &EventLog) {
    let report = log.verify(Verification::default(), |_| {}).await.unwrap();
    assert_eq!(report.faults, []);
    assert_eq!(report.events, u64::try_from(report.head.position.get()).unwrap());
}

/// Everything in the log, read through the feed in small pages.
pub(crate) async fn whole_feed(log: &EventLog) -> Vec<Recorded> {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(Position::START, |event| event.position);
        let page = log.feed(after, 97).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

pub(crate) fn stream() -> StreamId {
    StreamId::from_uuid(Uuid::now_v7())
}

pub(crate) fn command() -> CommandId {
    CommandId::from_uuid(Uuid::new_v4())
}

pub(crate) fn correlation_of(stream: StreamId) -> CorrelationId {
    CorrelationId::from_uuid(stream.as_uuid())
}

pub(crate) fn event() -> NewEvent {
    with_data(&format!(r#"{{"nonce":"{}"}}"#, Uuid::new_v4()))
}

pub(crate) fn with_data(data: &str) -> NewEvent {
    NewEvent { event_type: "Happened", schema_version: 1, data: data.to_owned(), sealed: None }
}

pub(crate) fn sealed(content: &[u8]) -> NewEvent {
    NewEvent { sealed: Some(content.to_vec()), ..event() }
}

pub(crate) fn at(version: i64) -> Expected {
    if version == 0 { Expected::NoStream } else { Expected::Exact(Version::new(version)) }
}

/// `events` for `stream`, which is expected at `version`.
pub(crate) fn to(stream: StreamId, version: i64, events: Vec<NewEvent>) -> StreamAppend {
    StreamAppend {
        stream,
        category: CATEGORY,
        owner: None,
        correlation: correlation_of(stream),
        causation: None,
        expected: at(version),
        events,
        close: false,
    }
}

/// One event for `stream`, which is expected at `version`.
pub(crate) fn one(stream: StreamId, version: i64) -> StreamAppend {
    to(stream, version, vec![event()])
}

/// An append under a command id of its own.
pub(crate) fn append(streams: Vec<StreamAppend>) -> Append {
    Append { streams, command_id: command(), guards: Vec::new() }
}

pub(crate) fn guarded(streams: Vec<StreamAppend>, guard: StreamId, version: i64) -> Append {
    Append { guards: vec![Guard { stream: guard, version: Version::new(version) }], ..append(streams) }
}

/// Makes a stream with `events` events.
pub(crate) async fn grow(log: &EventLog, stream: StreamId, events: usize) -> Appended {
    let events = std::iter::repeat_with(event).take(events).collect();
    log.append(append(vec![to(stream, 0, events)])).await.unwrap()
}

/// Cuts the connections over which logs append to this database.
pub(crate) async fn kill_appenders(pool: &PgPool) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'slipstream append'",
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Runs on as many tasks as there are futures and waits for all.
pub(crate) async fn together<F, T>(futures: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks = TaskTracker::new();
    let handles: Vec<_> = futures.into_iter().map(|future| tasks.spawn(future)).collect();
    let mut answers = Vec::new();
    for handle in handles {
        answers.push(handle.await.unwrap());
    }
    answers
}
