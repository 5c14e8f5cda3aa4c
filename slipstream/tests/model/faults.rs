//! The tiers above the log, unreliable: a bus that loses, repeats and swaps, a stream state that forgets and falls silent.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use async_trait::async_trait;
use slipstream_commands::ports::{LiveBus, LiveMessage, PortError, Subject, Subscription};
use slipstream_domain::{GenerationId, Seq, Timestamp, UserId};
use slipstream_local::{InProcessBus, InProcessStreamState};
use slipstream_projections::{CompatCursor, Output, StreamKey, StreamState, StreamStateError};

/// A bus that does to output what its seed says.
pub(crate) struct LossyBus {
    inner: InProcessBus,
    seed: u64,
    pub(crate) down: AtomicBool,
    /// Held back until the reply's next message has gone.
    held: Mutex<HashMap<GenerationId, Arc<LiveMessage>>>,
}

/// What becomes of a message.
enum Fate {
    Sent,
    Lost,
    Twice,
    AfterTheNext,
}

impl LossyBus {
    pub(crate) fn new(seed: u64) -> Self {
        Self { inner: InProcessBus::new(), seed, down: AtomicBool::new(false), held: Mutex::default() }
    }

    fn fate(&self, generation: GenerationId, epoch: u32, seq: Seq) -> Fate {
        let mut hasher = DefaultHasher::new();
        (self.seed, generation, epoch, seq.0).hash(&mut hasher);
        match hasher.finish() % 100 {
            0..12 => Fate::Lost,
            12..18 => Fate::Twice,
            18..24 => Fate::AfterTheNext,
            _ => Fate::Sent,
        }
    }
}

#[async_trait]
impl LiveBus for LossyBus {
    async fn publish(&self, subject: Subject, message: Arc<LiveMessage>) {
        if self.down.load(Ordering::Relaxed) {
            return;
        }
        let LiveMessage::Output { generation, epoch, run, .. } = &*message else {
            return self.inner.publish(subject, message).await;
        };
        let generation = *generation;
        let times = match self.fate(generation, epoch.0, run.from) {
            Fate::Lost => 0,
            Fate::Sent => 1,
            Fate::Twice => 2,
            Fate::AfterTheNext => {
                self.held.lock().unwrap().insert(generation, message);
                return;
            }
        };
        for _ in 0..times {
            self.inner.publish(subject, message.clone()).await;
        }
        let held = self.held.lock().unwrap().remove(&generation);
        if let Some(held) = held {
            self.inner.publish(subject, held).await;
        }
    }

    async fn subscribe(&self, subject: Subject) -> Result<Box<dyn Subscription>, PortError> {
        self.inner.subscribe(subject).await
    }

    async fn owner_answers(&self, generation: GenerationId) -> bool {
        self.inner.owner_answers(generation).await
    }
}

/// A stream state that can forget everything, and not answer.
pub(crate) struct FrailState {
    inner: RwLock<Arc<InProcessStreamState>>,
    pub(crate) down: AtomicBool,
}

impl FrailState {
    pub(crate) fn new() -> Self {
        Self { inner: RwLock::new(Arc::new(InProcessStreamState::new())), down: AtomicBool::new(false) }
    }

    pub(crate) fn flush(&self) {
        *self.inner.write().unwrap() = Arc::new(InProcessStreamState::new());
    }

    fn inner(&self) -> Result<Arc<InProcessStreamState>, StreamStateError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(StreamStateError::Unavailable("the schedule says so".into()));
        }
        Ok(self.inner.read().unwrap().clone())
    }
}

#[async_trait]
impl StreamState for FrailState {
    async fn seed(&self, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError> {
        self.inner()?.seed(key, outputs).await
    }

    async fn append(&self, key: StreamKey, output: &Output) -> Result<(), StreamStateError> {
        self.inner()?.append(key, output).await
    }

    async fn read_after(&self, key: StreamKey, seq: Seq) -> Result<Option<Vec<Output>>, StreamStateError> {
        self.inner()?.read_after(key, seq).await
    }

    async fn top(&self, key: StreamKey) -> Result<Option<Seq>, StreamStateError> {
        self.inner()?.top(key).await
    }

    async fn ended(&self, key: StreamKey) -> Result<(), StreamStateError> {
        self.inner()?.ended(key).await
    }

    async fn put_cursor(&self, cursor: CompatCursor) -> Result<(), StreamStateError> {
        self.inner()?.put_cursor(cursor).await
    }

    async fn take_orphan(
        &self,
        user: UserId,
        fingerprint: [u8; 32],
        not_before: Timestamp,
        silent_before: Timestamp,
    ) -> Result<Option<CompatCursor>, StreamStateError> {
        self.inner()?.take_orphan(user, fingerprint, not_before, silent_before).await
    }

    async fn drop_cursor(&self, user: UserId, connection: uuid::Uuid) -> Result<(), StreamStateError> {
        self.inner()?.drop_cursor(user, connection).await
    }
}
