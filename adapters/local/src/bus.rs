//! The live bus of one process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use async_trait::async_trait;
use slipstream_commands::ports::{BusEvent, LiveBus, LiveMessage, PortError, Subject, Subscription};
use slipstream_domain::GenerationId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// A bus in memory. Subjects exist while somebody listens.
#[derive(Debug, Default)]
pub struct InProcessBus(Arc<Subjects>);

type Subjects = RwLock<HashMap<Subject, broadcast::Sender<Arc<LiveMessage>>>>;

impl InProcessBus {
    /// A bus nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl LiveBus for InProcessBus {
    async fn publish(&self, subject: Subject, message: Arc<LiveMessage>) {
        let subjects = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = subjects.get(&subject) {
            // It fails only when nobody listens, which is no error.
            drop(sender.send(message));
        }
    }

    async fn subscribe(&self, subject: Subject) -> Result<Box<dyn Subscription>, PortError> {
        let mut subjects = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let sender = subjects.entry(subject).or_insert_with(|| broadcast::Sender::new(subject.backlog()));
        let messages = Some(sender.subscribe());
        Ok(Box::new(Listening { subject, messages, subjects: Arc::downgrade(&self.0) }))
    }

    async fn owner_answers(&self, generation: GenerationId) -> Result<bool, PortError> {
        let subjects = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(subjects.contains_key(&Subject::Owner(generation)))
    }
}

struct Listening {
    subject: Subject,
    /// `None` only while it is dropped.
    messages: Option<broadcast::Receiver<Arc<LiveMessage>>>,
    /// Weak, so that a subscription does not keep a bus alive that is gone.
    subjects: Weak<Subjects>,
}

#[async_trait]
impl Subscription for Listening {
    async fn next(&mut self) -> Option<BusEvent> {
        match self.messages.as_mut()?.recv().await {
            Ok(message) => Some(BusEvent::Message(message)),
            Err(RecvError::Lagged(_)) => Some(BusEvent::Lagged),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let Some(subjects) = self.subjects.upgrade() else { return };
        let mut subjects = subjects.write().unwrap_or_else(PoisonError::into_inner);
        self.messages = None;
        if subjects.get(&self.subject).is_some_and(|sender| sender.receiver_count() == 0) {
            subjects.remove(&self.subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::UserId;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_subject_is_forgotten_when_the_last_listener_is_gone() {
        let bus = InProcessBus::new();
        let subject = Subject::User(UserId::from_uuid(Uuid::nil()));
        let first = bus.subscribe(subject).await.unwrap();
        let second = bus.subscribe(subject).await.unwrap();
        drop(first);
        assert!(bus.0.read().unwrap().contains_key(&subject));
        drop(second);
        assert!(bus.0.read().unwrap().is_empty());
    }
}
