//! A stream state that forgets, falls silent, and shows its readers what it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use slipstream_domain::{Seq, Timestamp, UserId};
use slipstream_local::InProcessStreamState;
use slipstream_projections::{CompatCursor, Output, StreamKey, StreamState, StreamStateError};
use tokio::sync::Mutex;

use super::DOWN;

/// A stream state that can forget everything, not answer, and answer readers with what it was.
pub(crate) struct FrailState {
    copies: RwLock<Arc<Copies>>,
    pub(crate) down: AtomicBool,
    pub(crate) lagging: AtomicBool,
}

/// As a server with a replica that readers ask.
#[derive(Default)]
struct Copies {
    first: InProcessStreamState,
    read: InProcessStreamState,
    /// What `first` has and `read` has not, in order.
    between: Mutex<Vec<Write>>,
}

enum Write {
    Seed(StreamKey, Vec<Output>),
    Append(StreamKey, Output),
    Ended(StreamKey),
}

impl FrailState {
    pub(crate) fn new() -> Self {
        Self { copies: RwLock::default(), down: AtomicBool::new(false), lagging: AtomicBool::new(false) }
    }

    pub(crate) fn flush(&self) {
        *self.copies.write().unwrap() = Arc::default();
    }

    fn copies(&self) -> Result<Arc<Copies>, StreamStateError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(StreamStateError::Unavailable(DOWN.into()));
        }
        Ok(self.copies.read().unwrap().clone())
    }

    /// What is written reaches the readers at once, unless they lag.
    async fn write(&self, write: Write) -> Result<(), StreamStateError> {
        let copies = self.copies()?;
        let mut between = copies.between.lock().await;
        write.to(&copies.first).await?;
        between.push(write);
        if !self.lagging.load(Ordering::Relaxed) {
            for write in between.drain(..) {
                write.to(&copies.read).await?;
            }
        }
        Ok(())
    }
}

impl Write {
    async fn to(&self, state: &InProcessStreamState) -> Result<(), StreamStateError> {
        match self {
            Self::Seed(key, outputs) => state.seed(*key, outputs).await,
            Self::Append(key, output) => state.append(*key, output).await,
            Self::Ended(key) => state.ended(*key).await,
        }
    }
}

#[async_trait]
impl StreamState for FrailState {
    async fn seed(&self, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError> {
        self.write(Write::Seed(key, outputs.to_vec())).await
    }

    async fn append(&self, key: StreamKey, output: &Output) -> Result<(), StreamStateError> {
        self.write(Write::Append(key, output.clone())).await
    }

    async fn read_after(&self, key: StreamKey, seq: Seq) -> Result<Option<Vec<Output>>, StreamStateError> {
        self.copies()?.read.read_after(key, seq).await
    }

    async fn top(&self, key: StreamKey) -> Result<Option<Seq>, StreamStateError> {
        self.copies()?.first.top(key).await
    }

    async fn ended(&self, key: StreamKey) -> Result<(), StreamStateError> {
        self.write(Write::Ended(key)).await
    }

    async fn put_cursor(&self, cursor: CompatCursor) -> Result<(), StreamStateError> {
        self.copies()?.first.put_cursor(cursor).await
    }

    async fn take_orphan(
        &self,
        user: UserId,
        fingerprint: [u8; 32],
        not_before: Timestamp,
        silent_before: Timestamp,
    ) -> Result<Option<CompatCursor>, StreamStateError> {
        self.copies()?.first.take_orphan(user, fingerprint, not_before, silent_before).await
    }

    async fn drop_cursor(&self, user: UserId, connection: uuid::Uuid) -> Result<(), StreamStateError> {
        self.copies()?.first.drop_cursor(user, connection).await
    }
}
