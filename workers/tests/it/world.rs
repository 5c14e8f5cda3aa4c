//! The surroundings of a worker, and what tests ask of them.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{
    BusEvent, Clock, Job, JobQueue, KeyVault, LiveBus, LiveMessage, NewPicture, Pictures, PortError, Subject,
    Subscription,
};
use slipstream_commands::{
    Attachments, Chunks, Commands, EmailPepper, EventLog, Opened, Ownership, Place, PostRequest, Posted,
    open_generation, post_message, record_chunks, register_user, upcasters,
};
use slipstream_domain::event::{MessageContent, RegistrationVia, Terminal, TerminalContent};
use slipstream_domain::{
    AttachmentId, ConversationId, EmailAddress, FinishReason, Generation, GenerationId, KeyId, KeySource,
    OnBusy, Params, Part, Prompt, ProviderId, Run, Seq, TerminalStatus, Timestamp, UserId, WorkerId,
};
use slipstream_eventlog::LogOptions;
use slipstream_local::{InProcessBus, InProcessQueue, InProcessStreamState, SystemClock, UuidV7Ids};
use slipstream_projections::{GenerationLog, ReadModels, Runner, StreamKey, StreamState, generation_log};
use slipstream_providers::{Catalogue, Delta, Providers};
use slipstream_testkit::{Line, ScriptedProvider, TestDatabase};
use slipstream_workers::{Settings, WorkerDeps, Workers};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Long enough for anything that is to happen.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// Everything a worker needs, on a database of its own.
pub(crate) struct World {
    db: TestDatabase,
    pub(crate) app: Commands,
    pub(crate) queue: Arc<InProcessQueue>,
    pub(crate) bus: Arc<FlakyBus>,
    pub(crate) state: Arc<InProcessStreamState>,
    pub(crate) clock: Arc<ShiftedClock>,
    pub(crate) keys: Arc<Keys>,
    /// The files of conversations, if there are any.
    pub(crate) files: Option<Attachments>,
    /// Where pictures go, if anywhere.
    pub(crate) pictures: Option<Arc<Gallery>>,
    pub(crate) read_models: ReadModels,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) provider: ScriptedProvider,
    pub(crate) user: UserId,
    pub(crate) tasks: TaskTracker,
    drain: CancellationToken,
}

impl World {
    /// A world whose `openai` follows these scripts, one a call, with the read models kept.
    pub(crate) async fn new(scripts: impl IntoIterator<Item = Vec<Line>>) -> Self {
        let world = Self::without_read_models(scripts).await;
        let runner = Runner::new(world.log().clone(), Uuid::new_v4());
        runner.start(&world.tasks, world.drain.clone());
        world
    }

    pub(crate) async fn without_read_models(scripts: impl IntoIterator<Item = Vec<Line>>) -> Self {
        let db = TestDatabase::create().await;
        let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
        let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
        let log = EventLog::start(db.pool().clone(), options, &tasks, drain.clone());
        let clock = Arc::new(ShiftedClock::default());
        let bus = Arc::new(FlakyBus::default());
        let openai = ProviderId::parse("openai").unwrap();
        let keys = Arc::new(Keys::default());
        let app = Commands::new(
            log.clone(),
            clock.clone(),
            Arc::new(UuidV7Ids::new()),
            keys.clone(),
            bus.clone(),
            EmailPepper::new("pepper".into()),
        );
        let email = EmailAddress::parse("ann@example.com").unwrap();
        let user = register_user(&app, &email, RegistrationVia::Development, None).await.unwrap();
        Self {
            db,
            app,
            queue: Arc::new(InProcessQueue::new()),
            bus,
            state: Arc::new(InProcessStreamState::new()),
            clock,
            keys,
            files: None,
            pictures: None,
            read_models: ReadModels::new(log),
            catalogue: Arc::new(Catalogue::shipped().unwrap()),
            provider: ScriptedProvider::new(openai, scripts),
            user,
            tasks,
            drain,
        }
    }

    pub(crate) fn log(&self) -> &EventLog {
        self.app.log()
    }

    /// A worker of this world with a queue of its own, not started.
    pub(crate) fn worker_on(&self, queue: Arc<dyn JobQueue>, settings: Settings) -> Workers {
        let providers = self.providers(&slipstream_providers::Settings::default());
        self.worker_asking(providers.with(Arc::new(self.provider.clone())), queue, settings)
    }

    /// The real adapters.
    pub(crate) fn providers(&self, settings: &slipstream_providers::Settings) -> Providers {
        Providers::new(settings, &self.catalogue, Arc::new(|| 0.0)).unwrap()
    }

    /// The same with these adapters.
    pub(crate) fn worker_asking(
        &self,
        providers: Providers,
        queue: Arc<dyn JobQueue>,
        settings: Settings,
    ) -> Workers {
        Workers::new(WorkerDeps {
            app: self.app.clone(),
            queue,
            stream_state: self.state.clone(),
            read_models: self.read_models.clone(),
            providers: Arc::new(providers),
            files: self.files.clone(),
            pictures: self.pictures.clone().map(|pictures| pictures as Arc<dyn Pictures>),
            catalogue: Arc::clone(&self.catalogue),
            worker: WorkerId::from_uuid(Uuid::new_v4()),
            settings,
        })
    }

    /// A worker of this world that takes jobs.
    pub(crate) fn worker(&self) -> Workers {
        self.started(self.worker_on(self.queue.clone(), Settings::default()))
    }

    pub(crate) fn started(&self, worker: Workers) -> Workers {
        worker.start(&self.tasks, self.drain.clone());
        worker
    }

    /// Ann says `prompt` to `provider` in a new conversation; nobody is told.
    pub(crate) async fn ask(&self, provider: &str, prompt: &str) -> Posted {
        self.ask_in(Place::New(self.app.new_conversation_id()), provider, prompt).await
    }

    pub(crate) async fn ask_in(&self, conversation: Place, provider: &str, prompt: &str) -> Posted {
        post_message(&self.app, self.request(conversation, provider, prompt)).await.unwrap()
    }

    pub(crate) fn request(&self, conversation: Place, provider: &str, prompt: &str) -> PostRequest {
        let provider = ProviderId::parse(provider).unwrap();
        let model = self.catalogue.default_model(&provider).unwrap().id.clone();
        PostRequest {
            actor: self.user,
            conversation,
            generation_id: self.app.new_generation_id(),
            client_message_id: None,
            parent_message_id: None,
            attachment_ids: Vec::new(),
            content: MessageContent { text: Prompt::parse(prompt.into()).unwrap(), metadata: None },
            provider,
            model,
            params: Params::default(),
            system_prompt: None,
            on_busy: OnBusy::Reject,
        }
    }

    /// Ann says this, a worker is told, and the reply ends.
    pub(crate) async fn answered(&self, request: PostRequest) -> (Posted, Ended) {
        let posted = post_message(&self.app, request).await.unwrap();
        self.publish(&posted).await;
        let ended = self.ended(posted.generation_id).await;
        (posted, ended)
    }

    /// The job of a generation goes into the queue.
    pub(crate) async fn publish(&self, posted: &Posted) {
        self.queue.publish(Job { generation: posted.generation_id, attempt: 0 }).await.unwrap();
    }

    /// Ann says "hello" to `openai`, and a worker is told.
    pub(crate) async fn hello(&self) -> Posted {
        let posted = self.ask("openai", "hello").await;
        self.publish(&posted).await;
        posted
    }

    pub(crate) async fn told(&self, generation: GenerationId) -> GenerationLog {
        generation_log(self.log(), generation).await.unwrap()
    }

    /// The log's account of a generation, once this holds.
    pub(crate) async fn told_when(
        &self,
        generation: GenerationId,
        holds: impl Fn(&GenerationLog) -> bool,
    ) -> GenerationLog {
        let waiting = async {
            loop {
                let told = self.told(generation).await;
                if holds(&told) {
                    return told;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, waiting).await.expect("the log never said so")
    }

    /// The log's account of a generation that has ended.
    pub(crate) async fn ended(&self, generation: GenerationId) -> Ended {
        let told = self.told_when(generation, |told| told.terminal.is_some()).await;
        Ended::of(&told)
    }

    /// Everything that is sent live in a conversation from now on.
    pub(crate) async fn listen(&self, conversation: ConversationId) -> Box<dyn Subscription> {
        self.bus.subscribe(Subject::Conversation(conversation)).await.unwrap()
    }

    /// A worker that has taken a generation and produced this much, and of which nothing will be heard again. `recorded`
    /// deltas of "word " are in the log, `shown` (at least as many) in the stream state.
    pub(crate) async fn dead_owner(&self, generation: GenerationId, recorded: u64, shown: u64) -> Ownership {
        let worker = WorkerId::from_uuid(Uuid::new_v4());
        let Opened::Mine(mut own) = open_generation(&self.app, generation, worker).await.unwrap() else {
            panic!("somebody else has it");
        };
        let chunks = Chunks { runs: words(1, recorded), carried: false, thinking_ms: None };
        record_chunks(&self.app, &mut own, chunks).await.unwrap();
        if shown > 0 {
            let outputs: Vec<_> = words(1, shown)
                .into_iter()
                .map(|run| slipstream_projections::Output { run, thinking_ms: None })
                .collect();
            let key = StreamKey { generation, epoch: own.epoch() };
            self.state.seed(key, &outputs).await.unwrap();
        }
        *own
    }

    /// From now on the log can be read no more, or again.
    pub(crate) async fn hide_events(&self, hide: bool) {
        let (from, to) = if hide { ("event", "hidden") } else { ("hidden", "event") };
        let sql = format!("ALTER TABLE es.{from} RENAME TO {to}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(self.db.pool()).await.unwrap();
    }

    /// Stops everything and removes the database.
    /// Waits until all that was begun is done.
    pub(crate) async fn stop(&self) {
        self.drain.cancel();
        self.tasks.close();
        tokio::time::timeout(SOON, self.tasks.wait()).await.expect("every task ends when told to drain");
    }

    pub(crate) async fn close(self) {
        self.stop().await;
        drop(self.app);
        self.db.drop().await;
    }
}

/// How a generation ended, taken apart.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: TerminalStatus,
    pub(crate) terminal: Terminal,
    pub(crate) content: TerminalContent,
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) epoch: u32,
    pub(crate) records: usize,
}

impl Ended {
    fn of(told: &GenerationLog) -> Self {
        let (status, terminal) = told.terminal.clone().unwrap();
        let Generation::Ended { made, final_seq, .. } = &told.state else {
            panic!("ended, but not in its state")
        };
        let mut next = Seq(1);
        for output in &told.outputs {
            assert_eq!(output.run.from, next, "numbers have no gap");
            output.run.check().unwrap();
            next = output.run.to().next();
        }
        assert_eq!((next, *final_seq), (terminal.final_seq.next(), terminal.final_seq));
        let content = terminal.content.open().unwrap().clone();
        let text = text(told, Part::Text);
        assert_eq!(content.digest, TerminalContent::of_text(&text).digest);
        Self {
            status,
            content,
            text,
            thinking: self::text(told, Part::Thinking),
            epoch: made.as_ref().map_or(0, |made| made.epoch.0),
            records: told.outputs.len(),
            terminal,
        }
    }

    /// The class of its fault.
    pub(crate) fn class(&self) -> &'static str {
        self.terminal.error.map_or("none", |fault| fault.class.as_str())
    }
}

pub(crate) fn text(told: &GenerationLog, part: Part) -> String {
    told.outputs.iter().filter(|o| o.run.part == part).map(|o| o.run.text.as_str()).collect()
}

pub(crate) fn say(text: &str) -> Line {
    Line::Say(Delta::Text(text.into()))
}

pub(crate) fn think(text: &str) -> Line {
    Line::Say(Delta::Thinking(text.into()))
}

pub(crate) fn finish(reason: FinishReason) -> Line {
    Line::Say(Delta::Finish { reason })
}

pub(crate) fn stop() -> Line {
    finish(FinishReason::Stop)
}

/// Deltas of "word ", numbered from `from`.
pub(crate) fn words(from: u64, count: u64) -> Vec<Run> {
    let word = |n: u64| Run::delta(Seq(n), Part::Text, (n - 1) * 5, "word ".into());
    slipstream_domain::run::merged((from..from + count).map(word))
}

/// The next output that is sent live.
pub(crate) async fn next_output(listener: &mut Box<dyn Subscription>) -> (Run, Option<u64>) {
    let waiting = async {
        loop {
            match listener.next().await.expect("the bus is there") {
                BusEvent::Message(message) => {
                    if let LiveMessage::Output { run, thinking_ms, .. } = &*message {
                        return (run.clone(), *thinking_ms);
                    }
                }
                BusEvent::Lagged => panic!("the test is too slow to hear everything"),
            }
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("output was due")
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

/// The server's keys for `openai` and `grok`; or Ann's own for `openai`, once she has one.
#[derive(Default)]
pub(crate) struct Keys {
    own: AtomicBool,
}

impl Keys {
    pub(crate) fn ann_has_her_own(&self) {
        self.own.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl KeyVault for Keys {
    async fn source(&self, _: UserId, provider: &ProviderId) -> Result<KeySource, PortError> {
        Ok(match provider.as_str() {
            "openai" if self.own.load(Ordering::SeqCst) => {
                KeySource::Own { key_id: KeyId::from_uuid(Uuid::nil()) }
            }
            "openai" | "grok" => KeySource::Server,
            _ => KeySource::None,
        })
    }

    async fn key(
        &self,
        _: UserId,
        provider: &ProviderId,
        source: KeySource,
    ) -> Result<Option<SecretString>, PortError> {
        match (source, provider.as_str()) {
            (KeySource::None, _) => Ok(None),
            (KeySource::Own { .. }, "openai") => Ok(Some("sk-own".into())),
            (KeySource::Server, "openai" | "grok") => Ok(Some("sk-server".into())),
            (KeySource::Own { .. } | KeySource::Server, _) => {
                Err(PortError { port: "key vault", reason: "there is no such key".into() })
            }
        }
    }
}

/// Pictures in memory. Each is kept when the test says so.
#[derive(Default)]
pub(crate) struct Gallery {
    pub(crate) kept: Mutex<Vec<NewPicture>>,
    pub(crate) open: tokio::sync::Notify,
    pub(crate) is_full: AtomicBool,
}

#[async_trait]
impl Pictures for Gallery {
    async fn keep(&self, picture: NewPicture) -> Result<AttachmentId, PortError> {
        self.open.notified().await;
        if self.is_full.load(Ordering::SeqCst) {
            return Err(PortError { port: "pictures", reason: "the disk is full".into() });
        }
        let mut kept = self.kept.lock().unwrap();
        kept.push(picture);
        Ok(AttachmentId::from_uuid(Uuid::from_u128(kept.len() as u128)))
    }
}

/// The bus of one process, which can be told to lose every hint to an owner, to be away for owners and those who ask for
/// them, and to take its time.
#[derive(Default)]
pub(crate) struct FlakyBus {
    bus: InProcessBus,
    loses_hints: AtomicBool,
    is_away: AtomicBool,
    /// While a test holds it, nobody learns whether an owner answers.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

impl FlakyBus {
    pub(crate) fn lose_hints(&self) {
        self.loses_hints.store(true, Ordering::SeqCst);
    }

    pub(crate) fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn is_there(&self) -> Result<(), PortError> {
        let is_away = self.is_away.load(Ordering::SeqCst);
        if is_away { Err(PortError { port: "live bus", reason: "away".into() }) } else { Ok(()) }
    }
}

#[async_trait]
impl LiveBus for FlakyBus {
    async fn publish(&self, subject: Subject, message: Arc<LiveMessage>) {
        if !(self.loses_hints.load(Ordering::SeqCst) && matches!(subject, Subject::Owner(_))) {
            self.bus.publish(subject, message).await;
        }
    }

    async fn subscribe(&self, subject: Subject) -> Result<Box<dyn Subscription>, PortError> {
        self.is_there()?;
        self.bus.subscribe(subject).await
    }

    async fn owner_answers(&self, generation: GenerationId) -> Result<bool, PortError> {
        drop(self.asking.lock().await);
        self.is_there()?;
        self.bus.owner_answers(generation).await
    }
}
