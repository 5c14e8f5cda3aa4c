//! Learns from the log what happens in conversations, for everybody in this process: one reader of the feed, however many
//! look. Says that something happened; what it was, they read themselves.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use slipstream_domain::{ConversationId, GenerationId, UserId};
use slipstream_projections::{Follow, Headline};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::lock;

/// News that may wait for a watcher of a conversation: of one append one, and a reply's appends that tell something are
/// its request and its end. A watcher that is slower all the same is told to look for itself.
const OF_A_CONVERSATION: usize = 8;
/// News that may wait for a socket that hears of all its user's conversations: many deleted at once. Each user with a v1
/// socket pays for their room (some 3 KB); a socket that misses some is closed, and its client reads the list anew.
const OF_A_USER: usize = 64;
/// Between two tries after the log did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Who waits for news of what.
#[derive(Debug, Default)]
pub(crate) struct News {
    conversations: Arc<Watchers<ConversationId, Signal>>,
    users: Arc<Watchers<UserId, Listed>>,
}

/// News of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// It has new events.
    Changed,
    /// This reply is over.
    Ended(GenerationId),
    /// Something may have been missed: look into the log.
    Look,
}

/// News of a user's list of conversations: this version of it has made, named or deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) conversation: ConversationId,
    pub(super) version: i64,
}

impl News {
    /// Hears of everything recorded in a conversation from now on.
    pub(super) fn watch(&self, conversation: ConversationId) -> Watch<ConversationId, Signal> {
        Watchers::watch(&self.conversations, conversation, OF_A_CONVERSATION)
    }

    /// Hears of every conversation that this user makes, names or deletes from now on.
    pub(super) fn watch_list(&self, user: UserId) -> Watch<UserId, Listed> {
        Watchers::watch(&self.users, user, OF_A_USER)
    }

    /// Reads the log until the last socket is `gone`. What cannot be read for now is read later; nobody misses anything by it.
    pub(crate) async fn run(self: Arc<Self>, mut log: Follow, gone: CancellationToken) {
        loop {
            let page = tokio::select! {
                () = gone.cancelled() => return,
                page = log.next_headlines() => page,
            };
            match page {
                Ok(page) => self.tell(&page),
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

    fn tell(&self, page: &[Headline]) {
        let mut last = None;
        for headline in page {
            match *headline {
                Headline::Ended { conversation, generation } => {
                    self.conversations.tell(&conversation, Signal::Ended(generation));
                }
                Headline::Changed { conversation, version, listed_for } => {
                    if let Some(user) = listed_for {
                        self.users.tell(&user, Listed { conversation, version });
                    }
                    // An append of several events is one change.
                    if last.replace(conversation) != Some(conversation) {
                        self.conversations.tell(&conversation, Signal::Changed);
                    }
                }
            }
        }
    }
}

/// Who waits for news, by what they are of. A key is kept while somebody watches it.
#[derive(Debug)]
struct Watchers<K, S>(Mutex<HashMap<K, broadcast::Sender<S>>>);

impl<K, S> Default for Watchers<K, S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Listens for the news of one key.
pub(super) struct Watch<K: Copy + Eq + Hash, S> {
    watchers: Arc<Watchers<K, S>>,
    key: K,
    /// `None` only while it is dropped.
    news: Option<broadcast::Receiver<S>>,
}

impl<K: Copy + Eq + Hash, S: Copy> Watchers<K, S> {
    fn watch(this: &Arc<Self>, key: K, backlog: usize) -> Watch<K, S> {
        let mut watched = lock(&this.0);
        let sender = watched.entry(key).or_insert_with(|| broadcast::Sender::new(backlog));
        Watch { watchers: this.clone(), key, news: Some(sender.subscribe()) }
    }

    fn tell(&self, key: &K, news: S) {
        if let Some(sender) = lock(&self.0).get(key) {
            // It fails only when nobody watches any more, which is no error.
            drop(sender.send(news));
        }
    }
}

impl<K: Copy + Eq + Hash, S: Copy> Watch<K, S> {
    /// The next news; `None` when some were missed. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<S> {
        let Some(news) = self.news.as_mut() else { return std::future::pending().await };
        match news.recv().await {
            Ok(news) => Some(news),
            Err(RecvError::Lagged(_)) => None,
            // The sender lives as long as this receiver does: see `drop`.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl<K: Copy + Eq + Hash, S> Drop for Watch<K, S> {
    fn drop(&mut self) {
        let mut watched = lock(&self.watchers.0);
        self.news = None;
        if watched.get(&self.key).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn conversation(n: u128) -> ConversationId {
        ConversationId::from_uuid(Uuid::from_u128(n))
    }

    fn user() -> UserId {
        UserId::from_uuid(Uuid::from_u128(7))
    }

    fn generation() -> GenerationId {
        GenerationId::from_uuid(Uuid::from_u128(9))
    }

    fn end_in(n: u128) -> Headline {
        Headline::Ended { conversation: conversation(n), generation: generation() }
    }

    fn changed(n: u128, listed_for: Option<UserId>) -> Headline {
        Headline::Changed { conversation: conversation(n), version: 1, listed_for }
    }

    #[tokio::test]
    async fn every_watcher_of_a_conversation_hears_of_its_end_and_nobody_else() {
        let news = News::default();
        let (mut one, mut two, mut other) =
            (news.watch(conversation(1)), news.watch(conversation(1)), news.watch(conversation(2)));
        news.tell(&[end_in(1), changed(1, None)]);
        for watch in [&mut one, &mut two] {
            assert_eq!(watch.next().await, Some(Signal::Ended(generation())));
            assert_eq!(watch.next().await, Some(Signal::Changed));
        }
        assert!(futures::poll!(Box::pin(other.next())).is_pending());
    }

    #[tokio::test]
    async fn an_append_of_several_events_is_one_change() {
        let news = News::default();
        let mut watch = news.watch(conversation(1));
        news.tell(&[1, 1, 1, 2].map(|n| changed(n, None)));
        assert_eq!(watch.next().await, Some(Signal::Changed));
        assert!(futures::poll!(Box::pin(watch.next())).is_pending());
    }

    #[tokio::test]
    async fn a_user_hears_of_conversations_that_come_and_go_and_of_no_other_event() {
        let news = News::default();
        let mut watch = news.watch_list(user());
        news.tell(&[end_in(1), changed(1, None), changed(2, Some(user()))]);
        assert_eq!(watch.next().await, Some(Listed { conversation: conversation(2), version: 1 }));
        assert!(futures::poll!(Box::pin(watch.next())).is_pending());
    }

    #[tokio::test]
    async fn who_missed_something_is_told() {
        let news = News::default();
        let mut watch = news.watch(conversation(1));
        news.tell(&[end_in(1); OF_A_CONVERSATION + 1]);
        assert_eq!(watch.next().await, None);
    }

    #[test]
    fn a_conversation_is_forgotten_with_its_last_watcher() {
        let news = News::default();
        let (one, two) = (news.watch(conversation(1)), news.watch(conversation(1)));
        drop(one);
        assert_eq!(lock(&news.conversations.0).len(), 1);
        drop(two);
        assert!(lock(&news.conversations.0).is_empty());
    }
}
