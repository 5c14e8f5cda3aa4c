//! A log of its own for each test, the use cases on it, and short words for what tests do again and again.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use slipstream_commands::ports::Clock;
use slipstream_commands::{
    Chunks, Commands, EmailPepper, Opened, Ownership, Place, PostRequest, Posted, finish_generation,
    open_generation, post_message, record_chunks, register_user, upcasters,
};
use slipstream_domain::event::{MessageContent, RegistrationVia, TerminalContent};
use slipstream_domain::{
    ConversationId, EmailAddress, Ending, GenerationId, ModelId, OnBusy, Params, Part, Prompt, ProviderId,
    Run, Seq, TerminalStatus, Timestamp, UserId, WorkerId,
};
use slipstream_eventlog::{EventLog, LogOptions, Position, Recorded, StreamId, Version};
use slipstream_local::{EnvironmentKeys, InProcessBus, SystemClock, UuidV7Ids};
use slipstream_testkit::TestDatabase;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) app: Commands,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) tasks: TaskTracker,
    pub(crate) drain: CancellationToken,
    database: Arc<TestDatabase>,
    free_messages: Option<NonZeroU32>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(TestDatabase::create().await), None)
    }

    /// The same with so many messages a day on the operator's keys.
    pub(crate) async fn with_free_messages(most: u32) -> Self {
        Self::on(Arc::new(TestDatabase::create().await), NonZeroU32::new(most))
    }

    /// Another process on the same database.
    pub(crate) fn another(&self) -> Self {
        Self::on(Arc::clone(&self.database), self.free_messages)
    }

    fn on(database: Arc<TestDatabase>, free_messages: Option<NonZeroU32>) -> Self {
        let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
        let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
        let log = EventLog::start(database.pool().clone(), options, &tasks, drain.clone());
        let clock = Arc::new(ShiftedClock::default());
        let app = Commands::new(
            log,
            clock.clone(),
            Arc::new(UuidV7Ids::new()),
            Arc::new(EnvironmentKeys::new([(openai(), "sk-1".into())].into(), BTreeSet::new())),
            Arc::new(InProcessBus::new()),
            EmailPepper::new(SecretString::from("pepper")),
        )
        .with_free_messages_per_day(free_messages);
        Self { app, clock, tasks, drain, database, free_messages }
    }

    pub(crate) async fn user(&self, email: &str) -> UserId {
        let email = EmailAddress::parse(email).unwrap();
        register_user(&self.app, &email, RegistrationVia::Development, None).await.unwrap()
    }

    /// Says something where nothing is being made.
    pub(crate) async fn say(&self, actor: UserId, place: Place, text: &str) -> Posted {
        post_message(&self.app, says(actor, place, text, OnBusy::Reject)).await.unwrap()
    }

    pub(crate) async fn chat(&self, actor: UserId) -> Posted {
        self.say(actor, Place::New(self.app.new_conversation_id()), "hello").await
    }

    pub(crate) async fn open(&self, generation: GenerationId) -> Ownership {
        let opened = open_generation(&self.app, generation, worker(1)).await.unwrap();
        let Opened::Mine(own) = opened else { panic!("not ours: {opened:?}") };
        *own
    }

    /// Records one more delta of text.
    /// Opens a generation and completes it without a word.
    pub(crate) async fn complete(&self, generation: GenerationId) {
        let mut own = self.open(generation).await;
        finish_generation(&self.app, &mut own, ending(TerminalStatus::Completed, Seq(0))).await.unwrap();
    }

    pub(crate) async fn produce(&self, own: &mut Ownership, text: &str, offset: u64) {
        let run = Run::delta(own.last_seq().next(), Part::Text, offset, text.into());
        record_chunks(&self.app, own, chunks(vec![run])).await.unwrap();
    }

    /// The names of a stream's events.
    pub(crate) async fn events(&self, stream: Uuid) -> Vec<String> {
        self.stream(stream).await.iter().map(|event| event.event_type.to_string()).collect()
    }

    pub(crate) async fn stream(&self, stream: Uuid) -> Vec<Recorded> {
        self.app.log().read_stream(StreamId::from_uuid(stream), Version::NONE).await.unwrap()
    }

    pub(crate) async fn everything(&self) -> Vec<Recorded> {
        self.app.log().feed(Position::START, 10_000).await.unwrap()
    }
}

pub(crate) fn says(actor: UserId, conversation: Place, text: &str, on_busy: OnBusy) -> PostRequest {
    PostRequest {
        actor,
        conversation,
        generation_id: GenerationId::from_uuid(Uuid::now_v7()),
        client_message_id: None,
        parent_message_id: None,
        attachment_ids: Vec::new(),
        content: MessageContent { text: Prompt::parse(text.into()).unwrap(), metadata: None },
        provider: ProviderId::simulated(),
        model: ModelId::parse("m").unwrap(),
        params: Params::default(),
        system_prompt: None,
        on_busy,
    }
}

/// A provider that the operator has a key for.
pub(crate) fn openai() -> ProviderId {
    ProviderId::parse("openai").unwrap()
}

pub(crate) fn worker(n: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn chunks(runs: Vec<Run>) -> Chunks {
    Chunks { runs, carried: false, thinking_ms: None }
}

pub(crate) fn ending(status: TerminalStatus, final_seq: Seq) -> Ending {
    let mut ending = Ending::without_output(status, None, TerminalContent::default());
    ending.terminal.final_seq = final_seq;
    ending
}

pub(crate) fn nowhere() -> ConversationId {
    ConversationId::from_uuid(Uuid::from_u128(404))
}

/// The machine's clock, which can be put forward.
#[derive(Default)]
pub(crate) struct ShiftedClock {
    clock: SystemClock,
    ahead: AtomicI64,
}

impl ShiftedClock {
    pub(crate) fn put_forward(&self, by: Duration) {
        self.ahead.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now().micros() + self.ahead.load(Ordering::SeqCst))
    }
}
