//! A log of its own for each test, use cases and read models on it, and short words for what tests do again and again.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use slipstream_commands::{
    Chunks, Commands, EditRequest, EmailPepper, Opened, Ownership, Place, PostRequest, Posted,
    RegenerateRequest, Whom, edit_message, finish_generation, open_generation, post_message, record_chunks,
    regenerate_reply, register_user, upcasters,
};
use slipstream_domain::event::{MessageContent, RegistrationVia, TerminalContent};
use slipstream_domain::{
    ConversationId, EmailAddress, Ending, GenerationId, ModelId, OnBusy, Params, Part, Prompt, ProviderId,
    Run, TerminalStatus, UserId, WorkerId,
};
use slipstream_eventlog::{
    Append, CommandId, CorrelationId, EventLog, Expected, LogOptions, NewEvent, OwnerId, ProjectorStatus,
    StreamAppend, StreamId, Upcasters, Version, parked::Parked,
};
use slipstream_local::{EnvironmentKeys, InProcessBus, SystemClock, UuidV7Ids};
use slipstream_projections::{
    Conversations, Generations, Position, Projection, ReadModels, Runner, Transcript, UsageDaily, Waited,
    wait_for,
};
use slipstream_testkit::TestDatabase;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Longer than anything here takes that does not hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) app: Commands,
    pub(crate) log: EventLog,
    pub(crate) models: ReadModels,
    database: TestDatabase,
}

/// A runner that runs, with a log of its own, as a process has it.
pub(crate) struct Running {
    tasks: TaskTracker,
    drain: CancellationToken,
}

/// A question and its whole answer.
pub(crate) struct Exchange {
    pub(crate) posted: Posted,
    pub(crate) end: Position,
}

impl World {
    /// A log and use cases; nobody runs the projections.
    pub(crate) async fn still() -> Self {
        let database = TestDatabase::create().await;
        let log = log_on(database.pool().clone(), upcasters());
        let app = Commands::new(
            log.clone(),
            Arc::new(SystemClock::new()),
            Arc::new(UuidV7Ids::new()),
            Arc::new(EnvironmentKeys::default()),
            Arc::new(InProcessBus::new()),
            EmailPepper::new(SecretString::from("pepper")),
        );
        Self { app, models: ReadModels::new(log.clone()), log, database }
    }

    /// The same, and a runner.
    pub(crate) async fn new() -> (Self, Running) {
        let world = Self::still().await;
        let running = world.run();
        (world, running)
    }

    pub(crate) fn run(&self) -> Running {
        Running::start(self.log.clone())
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.database.pool()
    }

    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    pub(crate) async fn user(&self, name: &str) -> UserId {
        let email = EmailAddress::parse(&format!("{name}@example.com")).unwrap();
        register_user(&self.app, &email, RegistrationVia::Development, None).await.unwrap()
    }

    pub(crate) async fn say(&self, actor: UserId, place: Place, text: &str) -> Posted {
        post_message(&self.app, says(actor, place, text)).await.unwrap()
    }

    pub(crate) fn new_chat(&self) -> Place {
        Place::New(self.app.new_conversation_id())
    }

    pub(crate) async fn open(&self, generation: GenerationId) -> Ownership {
        match open_generation(&self.app, generation, WorkerId::from_uuid(Uuid::from_u128(1))).await.unwrap() {
            Opened::Mine(own) => *own,
            Opened::Taken(_) | Opened::Over(_) => panic!("the generation is not to be had"),
        }
    }

    /// A question, answered by `deltas`, each recorded by itself.
    pub(crate) async fn exchange(
        &self,
        actor: UserId,
        place: Place,
        text: &str,
        deltas: &[&str],
    ) -> Exchange {
        let posted = self.say(actor, place, text).await;
        let end = self.answer(posted.generation_id, deltas).await;
        Exchange { posted, end }
    }

    /// Says something else instead of a message.
    pub(crate) async fn edit(&self, actor: UserId, said: &Posted, text: &str) -> Posted {
        let request = EditRequest {
            actor,
            conversation_id: said.conversation_id,
            message_id: said.message_id,
            generation_id: self.app.new_generation_id(),
            client_message_id: None,
            content: MessageContent { text: Prompt::parse(text.into()).unwrap(), metadata: None },
            on_busy: OnBusy::Queue,
        };
        edit_message(&self.app, request).await.unwrap()
    }

    /// Wants another reply beside one.
    pub(crate) async fn regenerate(&self, actor: UserId, answered: &Posted) -> Posted {
        let request = RegenerateRequest {
            actor,
            conversation_id: answered.conversation_id,
            message_id: answered.reply_message_id,
            generation_id: self.app.new_generation_id(),
            client_message_id: None,
            whom: Whom::AsBefore,
            on_busy: OnBusy::Queue,
        };
        regenerate_reply(&self.app, request).await.unwrap()
    }

    pub(crate) async fn answer(&self, generation: GenerationId, deltas: &[&str]) -> Position {
        let mut own = self.open(generation).await;
        let mut offset = 0;
        for delta in deltas {
            self.produce(&mut own, Part::Text, offset, delta).await;
            offset += delta.len() as u64;
        }
        self.finish(&mut own, TerminalStatus::Completed).await
    }

    pub(crate) async fn produce(&self, own: &mut Ownership, part: Part, offset: u64, text: &str) {
        let run = Run::delta(own.last_seq().next(), part, offset, text.into());
        let thinking_ms = (part == Part::Thinking).then_some(7);
        record_chunks(&self.app, own, Chunks { runs: vec![run], carried: false, thinking_ms }).await.unwrap();
    }

    pub(crate) async fn finish(&self, own: &mut Ownership, status: TerminalStatus) -> Position {
        let mut ending = Ending::without_output(status, None, TerminalContent::default());
        ending.terminal.final_seq = own.last_seq();
        finish_generation(&self.app, own, ending).await.unwrap()
    }

    /// Appends an event as another program might, to the end of a stream that is there.
    pub(crate) async fn append_raw(
        &self,
        category: i16,
        stream: Uuid,
        owner: UserId,
        correlation: Uuid,
        event: NewEvent,
    ) -> Position {
        let stream_id = StreamId::from_uuid(stream);
        let version = self.log.read_stream(stream_id, Version::NONE).await.unwrap().len();
        let append = StreamAppend {
            stream: stream_id,
            category: slipstream_eventlog::Category(category),
            owner: Some(OwnerId::from_uuid(owner.as_uuid())),
            correlation: CorrelationId::from_uuid(correlation),
            causation: None,
            expected: Expected::Exact(Version::new(i64::try_from(version).unwrap())),
            events: vec![event],
            close: false,
        };
        let command_id = CommandId::from_uuid(Uuid::new_v4());
        self.log.append(Append { streams: vec![append], command_id, guards: vec![] }).await.unwrap().last
    }

    /// Waits until all four have everything that is in the log now.
    pub(crate) async fn settled(&self, conversation: ConversationId) {
        let head = self.log.head().await.unwrap().position;
        assert_eq!(self.wait::<Conversations>(conversation, head).await, Waited::Reached);
        assert_eq!(self.wait::<Transcript>(conversation, head).await, Waited::Reached);
        assert_eq!(self.wait::<Generations>(conversation, head).await, Waited::Reached);
        assert_eq!(self.wait::<UsageDaily>(conversation, head).await, Waited::Reached);
    }

    pub(crate) async fn wait<P: Projection>(
        &self,
        conversation: ConversationId,
        position: Position,
    ) -> Waited {
        wait_for::<P>(&self.log, conversation, position, PATIENCE).await
    }

    pub(crate) async fn status<P: Projection>(&self) -> ProjectorStatus {
        let all = self.log.projectors().await.unwrap();
        all.into_iter().find(|status| status.projector == P::id()).expect("it has run")
    }

    pub(crate) async fn parked<P: Projection>(&self) -> Vec<Parked> {
        slipstream_eventlog::parked::list(self.pool(), &P::id()).await.unwrap()
    }

    /// Runs statements of a test's own.
    pub(crate) async fn sql(&self, statements: &'static str) {
        sqlx::raw_sql(statements).execute(self.pool()).await.unwrap();
    }

    /// Every row of every read model, as text, in a fixed order.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let all = "SELECT to_jsonb(r)::text FROM rm_conversations_v2.conversation AS r
                   UNION ALL SELECT to_jsonb(r)::text FROM rm_transcript_v2.message AS r
                   UNION ALL SELECT to_jsonb(r)::text FROM rm_transcript_v2.leaf AS r
                   UNION ALL SELECT to_jsonb(r)::text FROM rm_generations_v1.generation AS r
                   UNION ALL SELECT to_jsonb(r)::text FROM rm_usage_daily_v1.usage_day AS r
                   UNION ALL SELECT to_jsonb(r)::text FROM rm_usage_daily_v1.usage_asked AS r
                   UNION ALL SELECT to_jsonb(r)::text FROM rm_usage_daily_v1.usage_first AS r ORDER BY 1";
        sqlx::query_scalar(all).fetch_all(self.pool()).await.unwrap()
    }

    pub(crate) async fn end(self, running: Running) {
        running.stop().await;
        self.close().await;
    }

    pub(crate) async fn close(self) {
        self.database.drop().await;
    }
}

impl Running {
    pub(crate) fn start(log: EventLog) -> Self {
        let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
        Runner::new(log, Uuid::new_v4()).start(&tasks, drain.clone());
        Self { tasks, drain }
    }

    pub(crate) async fn stop(self) {
        self.drain.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A log whose tasks end with the test's runtime.
pub(crate) fn log_on(pool: PgPool, upcasters: Upcasters) -> EventLog {
    let options = LogOptions { upcasters, ..LogOptions::default() };
    EventLog::start(pool, options, &TaskTracker::new(), CancellationToken::new())
}

pub(crate) fn says(actor: UserId, conversation: Place, text: &str) -> PostRequest {
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
        on_busy: OnBusy::Queue,
    }
}
