//! A worker that does what the test says, with a generation in its hands.

use std::sync::Arc;

use slipstream_commands::ports::{LiveBus, LiveMessage, Subject};
use slipstream_commands::{
    Chunks, Commands, Opened, Ownership, finish_generation, open_generation, record_chunks,
    take_over_generation,
};
use slipstream_domain::event::{GenerationRequested, ProviderFault, TerminalContent};
use slipstream_domain::{
    AttachmentId, Ending, Epoch, ErrorClass, GenerationId, Part, Run, Seq, TerminalStatus, TokenUsage,
    UsageSource, UserId, WorkerId,
};
use slipstream_projections::{Output, StreamKey, StreamState};
use uuid::Uuid;

use crate::world::World;

/// Where output goes; what is left out is lost there.
#[derive(Clone, Copy)]
pub(crate) struct Reach {
    pub(crate) live: bool,
    pub(crate) hot: bool,
}

impl Reach {
    pub(crate) const EVERYWHERE: Self = Self { live: true, hot: true };
    pub(crate) const HOT: Self = Self { live: false, hot: true };
    pub(crate) const LOG_ALONE: Self = Self { live: false, hot: false };
}

/// The owner of a generation.
pub(crate) struct Owner {
    app: Commands,
    bus: Arc<dyn LiveBus>,
    state: Arc<dyn StreamState>,
    own: Ownership,
    seq: Seq,
    text: String,
    thinking: String,
    thinking_ms: Option<u64>,
    unrecorded: Vec<Run>,
    seeded: bool,
}

impl Owner {
    pub(crate) async fn open(world: &World, id: GenerationId) -> Self {
        let opened = open_generation(&world.app, id, WorkerId::from_uuid(Uuid::now_v7())).await.unwrap();
        let Opened::Mine(own) = opened else { panic!("{opened:?}") };
        Self::of(world, *own)
    }

    fn of(world: &World, own: Ownership) -> Self {
        Self {
            app: world.app.clone(),
            bus: world.bus.clone(),
            state: world.state.clone(),
            seq: own.last_seq(),
            own,
            text: String::new(),
            thinking: String::new(),
            thinking_ms: None,
            unrecorded: Vec::new(),
            seeded: false,
        }
    }

    /// Another worker takes the generation from this one, which is gone.
    pub(crate) async fn replaced(self, world: &World) -> Self {
        let worker = WorkerId::from_uuid(Uuid::now_v7());
        let own = take_over_generation(&world.app, self.own.id(), self.own.epoch(), worker).await.unwrap();
        let recorded = self.own.last_seq();
        assert_eq!(
            recorded,
            Seq::START,
            "a test of a reply that goes on after a takeover begins before the first delta"
        );
        Self::of(world, own)
    }

    pub(crate) fn id(&self) -> GenerationId {
        self.own.id()
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.own.epoch()
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.put(Part::Text, text, Reach::EVERYWHERE).await;
    }

    pub(crate) async fn think(&mut self, text: &str, ms: u64) {
        self.thinking_ms = Some(ms);
        self.put(Part::Thinking, text, Reach::EVERYWHERE).await;
    }

    /// What was asked.
    pub(crate) fn asked(&self) -> &GenerationRequested {
        &self.own.request().asked
    }

    /// Who asked.
    pub(crate) fn asker(&self) -> UserId {
        self.own.request().owner.unwrap()
    }

    /// Makes one delta.
    pub(crate) async fn put(&mut self, part: Part, text: &str, reach: Reach) {
        self.seq = self.seq.next();
        let whole = if part == Part::Text { &mut self.text } else { &mut self.thinking };
        let run = Run::delta(self.seq, part, whole.len() as u64, text.to_owned());
        whole.push_str(text);
        self.emit(run, reach).await;
    }

    /// Makes a picture, and shows it.
    pub(crate) async fn show(&mut self, attachment: AttachmentId, reach: Reach) {
        self.seq = self.seq.next();
        self.emit(Run::image(self.seq, attachment), reach).await;
    }

    async fn emit(&mut self, run: Run, reach: Reach) {
        self.unrecorded.push(run.clone());
        let output = Output { run: run.clone(), thinking_ms: self.thinking_ms };
        if reach.hot {
            let key = StreamKey { generation: self.id(), epoch: self.epoch() };
            if self.seeded {
                self.state.append(key, &output).await.unwrap();
            } else {
                self.state.seed(key, &[output]).await.unwrap();
                self.seeded = true;
            }
        }
        if reach.live {
            let thinking_ms = self.thinking_ms;
            self.tell(LiveMessage::Output {
                generation: self.id(),
                epoch: self.epoch(),
                run,
                thinking_ms,
                made_at: self.app.now(),
            })
            .await;
        }
    }

    /// Makes a picture.
    pub(crate) fn paint(&mut self, attachment: AttachmentId) {
        self.seq = self.seq.next();
        self.unrecorded.push(Run::image(self.seq, attachment));
    }

    /// Says where it stands.
    pub(crate) async fn beat(&self) {
        self.tell(LiveMessage::Beat { generation: self.id(), epoch: self.epoch(), seq: self.seq }).await;
    }

    async fn tell(&self, message: LiveMessage) {
        self.bus.publish(Subject::Conversation(self.own.conversation()), Arc::new(message)).await;
    }

    /// Makes everything so far durable.
    pub(crate) async fn record(&mut self) {
        let runs = std::mem::take(&mut self.unrecorded);
        let chunks = Chunks { runs, carried: false, thinking_ms: self.thinking_ms };
        record_chunks(&self.app, &mut self.own, chunks).await.unwrap();
    }

    pub(crate) async fn complete(self) {
        self.end(TerminalStatus::Completed, None).await;
    }

    pub(crate) async fn end(mut self, status: TerminalStatus, fault: Option<(ErrorClass, &str)>) {
        self.record().await;
        let provider_error = fault.map(|(_, said)| said.to_owned());
        let content = TerminalContent { provider_error, ..TerminalContent::of_text(&self.text) };
        let mut ending =
            Ending::without_output(status, fault.map(|(class, _)| ProviderFault { class }), content);
        ending.terminal.final_seq = self.seq;
        ending.terminal.thinking_ms = self.thinking_ms;
        let source = UsageSource::Provider;
        let usage = TokenUsage { input: 3, cached_input: 0, output: 4, reasoning: 0, total: 7, source };
        ending.terminal.usage = Some(usage);
        finish_generation(&self.app, &mut self.own, ending).await.unwrap();
    }

    /// Whether the user wants it to stop.
    pub(crate) async fn is_cancelled(&mut self) -> bool {
        self.own.refresh(&self.app).await.unwrap();
        self.own.cancel_requested()
    }
}
