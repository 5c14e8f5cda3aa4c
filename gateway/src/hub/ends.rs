//! Learns from the log when replies end, for everybody in this process: one reader of the feed, however many look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{ConversationId, Event, GenerationId};
use slipstream_projections::{Follow, Followed, Unreadable};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::lock;

/// Ends of one conversation that may wait for a watcher: one comes at a time, the next only after a new request.
/// A watcher that is slower all the same is told to look for itself.
const BACKLOG: usize = 4;
/// Between two tries after the log did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Who waits for the ends of which conversation.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    watched: Mutex<HashMap<ConversationId, broadcast::Sender<Signal>>>,
}

/// News of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// This reply is over.
    Ended(GenerationId),
    /// Something may have been missed: look into the log.
    Look,
}

/// Listens for the ends of one conversation's replies.
pub(super) struct Watch {
    ends: Arc<Ends>,
    conversation: ConversationId,
    /// `None` only while it is dropped.
    signals: Option<broadcast::Receiver<Signal>>,
}

impl Ends {
    /// Hears of every end recorded from now on.
    pub(super) fn watch(self: &Arc<Self>, conversation: ConversationId) -> Watch {
        let mut watched = lock(&self.watched);
        let sender = watched.entry(conversation).or_insert_with(|| broadcast::Sender::new(BACKLOG));
        Watch { ends: self.clone(), conversation, signals: Some(sender.subscribe()) }
    }

    /// Reads the log until the last socket is `gone`. What cannot be read for now is read later; nobody misses anything by it.
    pub(crate) async fn run(self: Arc<Self>, mut log: Follow, gone: CancellationToken) {
        loop {
            let page = tokio::select! {
                () = gone.cancelled() => return,
                page = log.next() => page,
            };
            match page {
                Ok(page) => self.tell(page),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the log cannot be followed");
                    tokio::select! {
                        () = gone.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    fn tell(&self, page: Vec<Result<Followed, Unreadable>>) {
        let watched = lock(&self.watched);
        if watched.is_empty() {
            return;
        }
        for item in page {
            let (correlation, signal) = match item {
                Err(unreadable) => (unreadable.correlation, Signal::Look),
                Ok(Followed { correlation, event, .. }) => match event {
                    Event::Conversation(ConversationEvent::ReplyRecorded(reply)) => {
                        (correlation, Signal::Ended(reply.generation_id))
                    }
                    Event::Conversation(_) | Event::Generation(_) | Event::User(_) | Event::Email(_) => {
                        continue;
                    }
                },
            };
            if let Some(sender) = watched.get(&ConversationId::from_uuid(correlation)) {
                // It fails only when nobody watches any more, which is no error.
                drop(sender.send(signal));
            }
        }
    }
}

impl Watch {
    /// The next news. Cancel-safe.
    pub(super) async fn next(&mut self) -> Signal {
        let Some(signals) = self.signals.as_mut() else { return std::future::pending().await };
        match signals.recv().await {
            Ok(signal) => signal,
            Err(RecvError::Lagged(_)) => Signal::Look,
            // The sender lives as long as this receiver does: see `drop`.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = lock(&self.ends.watched);
        self.signals = None;
        if watched.get(&self.conversation).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::event::ReplyRecorded;
    use slipstream_domain::{MessageId, Meta, Seq, TerminalStatus, Timestamp};
    use slipstream_projections::Position;
    use uuid::Uuid;

    use super::*;

    fn conversation(n: u128) -> ConversationId {
        ConversationId::from_uuid(Uuid::from_u128(n))
    }

    fn generation() -> GenerationId {
        GenerationId::from_uuid(Uuid::from_u128(9))
    }

    fn end_in(n: u128) -> Followed {
        let reply = ReplyRecorded {
            message_id: MessageId::from_uuid(Uuid::nil()),
            parent_message_id: None,
            generation_id: generation(),
            status: TerminalStatus::Completed,
            final_seq: Seq(1),
        };
        let id = conversation(n).as_uuid();
        Followed {
            position: Position::new(1),
            stream: id,
            version: 1,
            correlation: id,
            event: Event::Conversation(ConversationEvent::ReplyRecorded(reply)),
            meta: Meta { owner: None, at: Timestamp::from_micros(0) },
        }
    }

    #[tokio::test]
    async fn every_watcher_of_a_conversation_hears_of_its_end_and_nobody_else() {
        let ends = Arc::new(Ends::default());
        let (mut one, mut two, mut other) =
            (ends.watch(conversation(1)), ends.watch(conversation(1)), ends.watch(conversation(2)));
        ends.tell(vec![Ok(end_in(1))]);
        assert_eq!(
            (one.next().await, two.next().await),
            (Signal::Ended(generation()), Signal::Ended(generation()))
        );
        assert!(futures::poll!(Box::pin(other.next())).is_pending());
    }

    #[tokio::test]
    async fn who_missed_something_or_cannot_be_told_is_sent_to_the_log() {
        let ends = Arc::new(Ends::default());
        let mut watch = ends.watch(conversation(1));
        let unreadable = Unreadable {
            position: Position::new(1),
            correlation: conversation(1).as_uuid(),
            why: "newer".into(),
        };
        ends.tell(vec![Err(unreadable)]);
        assert_eq!(watch.next().await, Signal::Look);
        ends.tell((0..=BACKLOG).map(|_| Ok(end_in(1))).collect());
        assert_eq!(watch.next().await, Signal::Look);
    }

    #[test]
    fn a_conversation_is_forgotten_with_its_last_watcher() {
        let ends = Arc::new(Ends::default());
        let (one, two) = (ends.watch(conversation(1)), ends.watch(conversation(1)));
        drop(one);
        assert_eq!(lock(&ends.watched).len(), 1);
        drop(two);
        assert!(lock(&ends.watched).is_empty());
    }
}
