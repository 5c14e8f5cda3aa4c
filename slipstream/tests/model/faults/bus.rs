//! A bus that loses, repeats and swaps output, and falls silent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use slipstream_commands::ports::{LiveBus, LiveMessage, PortError, Subject, Subscription};
use slipstream_domain::{GenerationId, Seq};
use slipstream_local::InProcessBus;

use super::{DOWN, percent};

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
        match percent((self.seed, generation, epoch, seq.0)) {
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
        if self.down.load(Ordering::Relaxed) {
            return Err(PortError { port: "live bus", reason: DOWN.into() });
        }
        self.inner.subscribe(subject).await
    }

    async fn owner_answers(&self, generation: GenerationId) -> Result<bool, PortError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(PortError { port: "live bus", reason: DOWN.into() });
        }
        self.inner.owner_answers(generation).await
    }
}
