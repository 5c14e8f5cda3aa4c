//! The conversations that a v1 socket follows: one task each, of which a new wish for the same conversation takes the
//! place. Knows who follows what; not how.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use slipstream_domain::ConversationId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lock;

/// What a socket is subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    by_conversation: Mutex<HashMap<ConversationId, Subscribed>>,
    /// Replies under way in all of them.
    live: Arc<AtomicU32>,
    /// Whoever sends much at once, out of the lower tiers, takes turns: what is read for it is in memory meanwhile.
    sending: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Subscribed {
    ticket: Ticket,
    task: Option<JoinHandle<()>>,
}

/// One subscription, as its task and everybody else see it.
#[derive(Debug, Clone)]
pub(crate) struct Ticket(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    over: CancellationToken,
    /// Events after this version are the subscription's to tell; `i64::MAX` until that is known.
    tells_after: AtomicI64,
    /// Held by who posts, so that the acknowledgement comes before the events that it acknowledges.
    posting: tokio::sync::Mutex<()>,
}

/// A reply that is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct LiveReply(Arc<AtomicU32>);

impl Subscriptions {
    /// Ends what was subscribed of this conversation, and waits until nothing of it is put any more. Cancel-safe: what
    /// has ended stays ended.
    pub(crate) async fn end(&self, conversation: ConversationId) {
        let subscribed = lock(&self.by_conversation).remove(&conversation);
        if let Some(Subscribed { ticket, task }) = subscribed {
            ticket.0.over.cancel();
            if let Some(task) = task {
                // It fails only with the runtime.
                drop(task.await);
            }
        }
    }

    /// A new subscription, unless there are as many as there may be; the one before it must have been ended.
    pub(crate) fn begin(&self, conversation: ConversationId, most: usize) -> Option<Ticket> {
        let mut subscribed = lock(&self.by_conversation);
        if subscribed.len() >= most {
            return None;
        }
        let ticket = Ticket(Arc::new(Shared {
            over: CancellationToken::new(),
            tells_after: AtomicI64::new(i64::MAX),
            posting: tokio::sync::Mutex::default(),
        }));
        subscribed.insert(conversation, Subscribed { ticket: ticket.clone(), task: None });
        Some(ticket)
    }

    /// The task that carries a subscription out. One that is over already is not kept.
    pub(crate) fn set_task(&self, conversation: ConversationId, task: JoinHandle<()>) {
        if let Some(subscribed) = lock(&self.by_conversation).get_mut(&conversation) {
            subscribed.task = Some(task);
        }
    }

    /// The subscription is over by itself. A later one of the same conversation stays.
    pub(crate) fn forget(&self, conversation: ConversationId, ticket: &Ticket) {
        let mut subscribed = lock(&self.by_conversation);
        if subscribed.get(&conversation).is_some_and(|other| Arc::ptr_eq(&other.ticket.0, &ticket.0)) {
            subscribed.remove(&conversation);
        }
    }

    /// Ends all of them with the socket.
    pub(crate) fn end_all(&self) {
        for (_, subscribed) in lock(&self.by_conversation).drain() {
            subscribed.ticket.0.over.cancel();
        }
    }

    /// The subscription of a conversation.
    pub(crate) fn get(&self, conversation: ConversationId) -> Option<Ticket> {
        lock(&self.by_conversation).get(&conversation).map(|subscribed| subscribed.ticket.clone())
    }

    /// All conversations subscribed to.
    pub(crate) fn conversations(&self) -> Vec<ConversationId> {
        lock(&self.by_conversation).keys().copied().collect()
    }

    /// Waits for the turn to send much at once. Cancel-safe.
    pub(crate) async fn sending(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.sending.lock().await
    }

    /// Counts a reply as under way.
    pub(crate) fn live_reply(&self) -> LiveReply {
        self.live.fetch_add(1, Ordering::Relaxed);
        LiveReply(self.live.clone())
    }

    /// How many replies are under way.
    pub(crate) fn live_replies(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }
}

impl Ticket {
    /// Runs until it is done or the subscription is over. What is put is put at once, so it may be left anywhere.
    pub(crate) async fn run_until_over(&self, what: impl Future<Output = ()>) {
        self.0.over.run_until_cancelled(what).await;
    }

    /// From now on, events after `version` are this subscription's to tell.
    pub(crate) fn tells_after(&self, version: i64) {
        self.0.tells_after.store(version, Ordering::Release);
    }

    /// Whether it tells the event that makes this version.
    pub(crate) fn tells(&self, version: i64) -> bool {
        version > self.0.tells_after.load(Ordering::Acquire)
    }

    /// Waits until nobody posts, or nobody tells of what was posted. Cancel-safe.
    pub(crate) async fn posting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.posting.lock().await
    }
}

impl Drop for LiveReply {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn conversation(n: u128) -> ConversationId {
        ConversationId::from_uuid(Uuid::from_u128(n))
    }

    #[tokio::test]
    async fn a_subscription_ends_before_the_next_of_its_conversation_begins_and_there_are_so_many() {
        let subscriptions = Subscriptions::default();
        let first = subscriptions.begin(conversation(1), 2).unwrap();
        let other = subscriptions.begin(conversation(2), 2).unwrap();
        assert!(subscriptions.begin(conversation(3), 2).is_none());
        subscriptions.end(conversation(1)).await;
        assert!(first.0.over.is_cancelled() && !other.0.over.is_cancelled());
        let second = subscriptions.begin(conversation(1), 2).unwrap();
        // The first one's task notices only now.
        subscriptions.forget(conversation(1), &first);
        assert_eq!(subscriptions.conversations().len(), 2);
        subscriptions.forget(conversation(1), &second);
        assert_eq!(subscriptions.conversations(), [conversation(2)]);
    }

    #[test]
    fn until_it_is_known_what_a_subscription_tells_others_tell() {
        let ticket = Subscriptions::default().begin(conversation(1), 1).unwrap();
        assert!(!ticket.tells(7));
        ticket.tells_after(6);
        assert!(ticket.tells(7) && !ticket.tells(6));
    }
}
