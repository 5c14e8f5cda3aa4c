//! Where an answer goes. Its deltas are numbered once; the first is in the log before anybody sees it, so that "something
//! was produced" is never forgotten; after that they are shown at once, in windows, and recorded behind.

use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::{LiveMessage, Subject};
use slipstream_commands::{CommandError, Commands, Ownership};
use slipstream_domain::{Epoch, GenerationId, Seq, Timestamp};
use slipstream_projections::{Output, StreamKey, StreamState};
use tokio::time::Instant;

use crate::coalesce::Coalescer;
use crate::hot::Hot;
use crate::journal::Journal;
use crate::meters;

/// The least time between two frames of a reply (`04-streaming-and-resume`; compat rule 14 of `03-wire-protocol`).
const WINDOW: Duration = Duration::from_millis(25);
/// How often readers are told where the owner stands (`04-streaming-and-resume`, "Tiers").
const BEAT: Duration = Duration::from_secs(1);
/// Bytes that may wait while the log does not answer; beyond, the provider has to.
const ROOM: usize = 1024 * 1024;

/// The one way of a reply's output to its readers.
pub(crate) struct Outlet {
    app: Commands,
    subject: Subject,
    generation: GenerationId,
    epoch: Epoch,
    /// When the reply was asked for.
    requested_at: Timestamp,
    pub(crate) coalescer: Coalescer,
    /// When the first of what waits in the coalescer came.
    waits_since: Option<Timestamp>,
    pub(crate) journal: Journal,
    pub(crate) hot: Hot,
    /// The first output, until its record is durable; `None` from then on.
    held: Option<Piece>,
    shown: Seq,
    show_at: Instant,
    beat_at: Instant,
}

/// What was taken out of the coalescer together.
struct Piece {
    outputs: Vec<Output>,
    /// When the first of it came.
    made_at: Timestamp,
}

impl Outlet {
    /// The outlet of an owner that has produced nothing yet.
    pub(crate) fn new(
        app: &Commands,
        state: Arc<dyn StreamState>,
        own: Box<Ownership>,
        now: Instant,
    ) -> Self {
        let (generation, epoch) = (own.id(), own.epoch());
        Self {
            app: app.clone(),
            subject: Subject::Conversation(own.conversation()),
            generation,
            epoch,
            requested_at: own.request().at,
            coalescer: Coalescer::default(),
            waits_since: None,
            hot: Hot::new(state, StreamKey { generation, epoch }),
            journal: Journal::new(app.clone(), own, now),
            held: Some(Piece { outputs: Vec::new(), made_at: app.now() }),
            shown: Seq::START,
            show_at: now,
            beat_at: now + BEAT,
        }
    }

    /// When [`Outlet::tick`] has something to do by itself.
    pub(crate) fn wake_at(&self) -> Instant {
        let show_at = Some(self.show_at).filter(|_| self.held.is_none() && !self.coalescer.is_empty());
        [show_at, self.journal.due()].into_iter().flatten().fold(self.beat_at, Instant::min)
    }

    /// Does what is due: shows a window's deltas, begins to record, tells where it stands. `thinking_ms` is how long the
    /// model has thought up to now.
    pub(crate) async fn tick(&mut self, now: Instant, thinking_ms: Option<u64>) {
        if self.waits_since.is_none() && !self.coalescer.is_empty() {
            self.waits_since = Some(self.app.now());
        }
        if self.held.is_some() {
            self.open(now, thinking_ms).await;
        } else if now >= self.show_at && !self.coalescer.is_empty() {
            let piece = self.take(thinking_ms);
            self.show(piece, now).await;
        }
        self.journal.start_if_due(now);
        if now >= self.beat_at {
            self.beat_at = now + BEAT;
            let (generation, epoch, seq) = (self.generation, self.epoch, self.shown);
            self.publish(LiveMessage::Beat { generation, epoch, seq }).await;
        }
        self.hot.start(now);
    }

    /// Records the first output at once, and shows it when that is done. What comes meanwhile waits in the coalescer.
    async fn open(&mut self, now: Instant, thinking_ms: Option<u64>) {
        if self.held.as_ref().is_some_and(|held| held.outputs.is_empty()) {
            self.held = Some(self.take(thinking_ms));
        }
        let first = self.held.as_ref().and_then(|held| held.outputs.first()).map(|output| output.run.from);
        let (Some(first), Some(recorded)) = (first, self.journal.last_recorded()) else { return };
        if recorded < first {
            self.journal.start(now);
        } else if let Some(held) = self.held.take() {
            self.show(held, now).await;
        }
    }

    /// Whether it takes more without growing beyond its bound.
    pub(crate) fn has_room(&self) -> bool {
        self.journal.bytes() + self.coalescer.bytes() < ROOM
    }

    /// What waits, handed to the journal.
    fn take(&mut self, thinking_ms: Option<u64>) -> Piece {
        let made_at = self.waits_since.take().unwrap_or_else(|| self.app.now());
        let runs = self.coalescer.take();
        self.journal.push(runs.iter().cloned(), thinking_ms);
        let outputs = runs.into_iter().map(|run| Output { run, thinking_ms }).collect();
        Piece { outputs, made_at }
    }

    async fn show(&mut self, Piece { outputs, made_at }: Piece, now: Instant) {
        if self.shown == Seq::START && !outputs.is_empty() {
            meters::first_token(self.app.now().since(self.requested_at));
        }
        for Output { run, thinking_ms } in outputs {
            self.shown = run.to();
            self.hot.push(Output { run: run.clone(), thinking_ms });
            let (generation, epoch) = (self.generation, self.epoch);
            self.publish(LiveMessage::Output { generation, epoch, run, thinking_ms, made_at }).await;
            meters::shown();
        }
        self.show_at = now + WINDOW;
    }

    async fn publish(&mut self, message: LiveMessage) {
        self.app.bus().publish(self.subject, Arc::new(message)).await;
    }

    /// No more will come: shows and records the rest. What is held back is shown after it is recorded, as ever.
    ///
    /// # Errors
    /// Those of [`slipstream_commands::record_chunks`].
    pub(crate) async fn rest(&mut self, thinking_ms: Option<u64>) -> Result<(), CommandError> {
        let rest = self.take(thinking_ms);
        match &mut self.held {
            Some(held) => held.outputs.extend(rest.outputs),
            None => self.show(rest, Instant::now()).await,
        }
        self.hot.start(Instant::now());
        self.journal.record_all().await?;
        if let Some(held) = self.held.take() {
            self.show(held, Instant::now()).await;
        }
        Ok(())
    }

    /// The ownership (absent while a write is under way) and the stream state's copy.
    pub(crate) fn into_parts(self) -> (Option<Box<Ownership>>, Hot) {
        (self.journal.into_own(), self.hot)
    }
}
