//! What waits to be written to one socket: bounded in bytes whatever the client and the replies do.
//!
//! Deltas wait as deltas, not as frames: one that finds its neighbour still waiting is joined to it, so a slow client
//! gets fewer, longer frames and loses nothing. Knows nothing of the wire; the writer asks for one item after another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use slipstream_domain::{Part, Seq};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::close::{Close, End};
use crate::lock;
use crate::protocol::{ChatChunk, ChatHead, ServerFrame};

/// Above this, who can wait (a replay, the end of a reply) waits (`04-streaming-and-resume`, "Slow consumers").
const SOFT_BYTES: usize = 256 * 1024;
/// Above this the client is too slow. A single item may be larger: a whole reply after a reload is one frame.
const HARD_BYTES: usize = 1024 * 1024;
/// What an item weighs beside its text.
const ITEM_BYTES: usize = 256;

/// The queue of one socket. One writer takes, anybody puts.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    emptied: Notify,
    ended: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    ping: bool,
    end: Option<End>,
}

/// Something to write.
#[derive(Debug)]
pub(super) enum Item {
    /// A frame as it goes out.
    Frame {
        /// Its type's name.
        name: &'static str,
        /// Its JSON.
        json: String,
        /// The reply that it ends.
        ends: Option<Arc<Reply>>,
    },
    /// Output of a reply.
    Delta(Delta),
}

/// Output of a reply, with everything its frame needs.
#[derive(Debug)]
pub(crate) struct Delta {
    /// Of which reply; also what tells the replies of one socket apart.
    pub(crate) reply: Arc<Reply>,
    /// Text or thinking.
    pub(crate) part: Part,
    /// To append.
    pub(crate) text: String,
    /// How long the model has thought, in milliseconds.
    pub(crate) thinking_ms: Option<u64>,
    /// The last delta in it.
    pub(crate) to: Seq,
}

/// A reply as one socket sees it.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What each of its frames says.
    pub(crate) head: Arc<ChatHead>,
    written: AtomicU64,
    ended: Notify,
}

impl Reply {
    pub(crate) fn new(head: Arc<ChatHead>, written: Seq) -> Arc<Self> {
        Arc::new(Self { head, written: AtomicU64::new(written.0), ended: Notify::new() })
    }

    /// The last delta written to the socket.
    pub(crate) fn written(&self) -> Seq {
        Seq(self.written.load(Ordering::Acquire))
    }

    /// Waits until its last frame has been written to the socket. Cancel-safe; for one waiter.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    pub(super) fn set_written(&self, to: Seq) {
        self.written.fetch_max(to.0, Ordering::AcqRel);
    }

    pub(crate) fn set_ended(&self) {
        self.ended.notify_one();
    }
}

/// What the writer has to do next.
#[derive(Debug)]
pub(super) enum Next {
    Item(Item),
    Ping,
    /// The socket has ended; there is nothing to write any more.
    Ended,
}

impl Outbox {
    /// Puts a frame; nothing happens once the socket has ended.
    pub(super) fn frame(&self, frame: &ServerFrame, ends: Option<Arc<Reply>>) {
        match serde_json::to_string(frame) {
            Ok(json) => self.put(Item::Frame { name: frame.name(), json, ends }),
            Err(error) => tracing::error!(%error, frame = frame.name(), "a frame cannot be written as JSON"),
        }
    }

    /// Puts output of a reply; nothing happens once the socket has ended.
    pub(super) fn delta(&self, delta: Delta) {
        self.put(Item::Delta(delta));
    }

    /// Waits until there is room for more than a delta, or the socket has ended. Cancel-safe.
    pub(super) async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.ended.is_cancelled() || lock(&self.queue).bytes <= SOFT_BYTES {
                return;
            }
            tokio::select! {
                () = emptied => {}
                () = self.ended.cancelled() => return,
            }
        }
    }

    /// Asks the writer for a ping, ahead of what waits.
    pub(super) fn ping(&self) {
        lock(&self.queue).ping = true;
        self.filled.notify_one();
    }

    /// Ends the socket; the first end counts. What waits is not written any more.
    pub(super) fn end(&self, end: End) {
        let mut queue = lock(&self.queue);
        queue.end.get_or_insert(end);
        queue.items = VecDeque::new();
        queue.bytes = 0;
        drop(queue);
        self.ended.cancel();
        self.filled.notify_one();
    }

    /// Waits for the socket's end, and says which. Cancel-safe.
    pub(super) async fn ended(&self) -> End {
        self.ended.cancelled().await;
        lock(&self.queue).end.unwrap_or(End::Broken)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// What to write next; waits for it. Cancel-safe.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.filled.notified().await;
        }
    }

    /// What to write next, if there is anything.
    pub(super) fn try_next(&self) -> Option<Next> {
        let mut queue = lock(&self.queue);
        if queue.end.is_some() {
            return Some(Next::Ended);
        }
        if std::mem::take(&mut queue.ping) {
            return Some(Next::Ping);
        }
        let item = queue.items.pop_front()?;
        let before = queue.bytes;
        queue.bytes = before.saturating_sub(item.weight());
        if queue.items.is_empty() {
            // A burst is over: an idle socket keeps no memory of it.
            queue.items = VecDeque::new();
        }
        if before > SOFT_BYTES && queue.bytes <= SOFT_BYTES {
            self.emptied.notify_waiters();
        }
        Some(Next::Item(item))
    }

    fn put(&self, item: Item) {
        let mut queue = lock(&self.queue);
        if queue.end.is_some() {
            return;
        }
        let weight = item.weight();
        if queue.bytes > 0 && queue.bytes + weight > HARD_BYTES {
            drop(queue);
            return self.end(End::Ours(Close::TOO_SLOW));
        }
        match queue.join(item) {
            None => queue.bytes += weight - ITEM_BYTES,
            Some(item) => {
                queue.items.push_back(item);
                queue.bytes += weight;
            }
        }
        drop(queue);
        self.filled.notify_one();
    }
}

impl Queue {
    /// Joins a delta to its neighbour, if that still waits; gives the item back otherwise.
    fn join(&mut self, item: Item) -> Option<Item> {
        let Item::Delta(delta) = item else { return Some(item) };
        let same_reply = |item: &&mut Item| match item {
            Item::Delta(waiting) => Arc::ptr_eq(&waiting.reply, &delta.reply),
            Item::Frame { .. } => false,
        };
        match self.items.iter_mut().rev().find(same_reply) {
            Some(Item::Delta(waiting)) if waiting.part == delta.part => {
                waiting.text.push_str(&delta.text);
                waiting.thinking_ms = delta.thinking_ms.or(waiting.thinking_ms);
                waiting.to = delta.to;
                None
            }
            Some(_) | None => Some(Item::Delta(delta)),
        }
    }
}

impl Item {
    fn weight(&self) -> usize {
        ITEM_BYTES
            + match self {
                Self::Frame { json, .. } => json.len(),
                Self::Delta(delta) => delta.text.len(),
            }
    }
}

impl Delta {
    /// The frame for a compat client.
    pub(super) fn frame(self) -> ServerFrame {
        let head = self.reply.head.clone();
        ServerFrame::ChatChunk(match self.part {
            Part::Thinking => ChatChunk::thinking(head, self.text, self.thinking_ms),
            Part::Text | Part::Image => ChatChunk::text(head, self.text, self.thinking_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use slipstream_domain::UserId;
    use uuid::Uuid;

    use super::*;

    fn reply() -> Arc<Reply> {
        let head = ChatHead {
            conversation_id: None,
            user_id: UserId::from_uuid(Uuid::nil()),
            provider: None,
            model: None,
            temperature: None,
            top_p: None,
        };
        Reply::new(Arc::new(head), Seq::START)
    }

    fn delta(reply: &Arc<Reply>, part: Part, text: &str, to: u64) -> Delta {
        Delta { reply: reply.clone(), part, text: text.into(), thinking_ms: None, to: Seq(to) }
    }

    fn pong() -> ServerFrame {
        ServerFrame::Pong { user_id: UserId::from_uuid(Uuid::nil()) }
    }

    fn texts(outbox: &Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.try_next())
            .map(|next| match next {
                Next::Item(Item::Delta(delta)) => delta.text,
                Next::Item(Item::Frame { name, .. }) => name.to_owned(),
                Next::Ping => "ping".to_owned(),
                Next::Ended => "ended".to_owned(),
            })
            .collect()
    }

    #[test]
    fn waiting_deltas_of_one_reply_and_part_become_one_even_with_other_frames_between() {
        let (outbox, one, other) = (Outbox::default(), reply(), reply());
        outbox.delta(delta(&one, Part::Thinking, "hm", 1));
        outbox.delta(delta(&one, Part::Text, "a", 2));
        outbox.delta(delta(&other, Part::Text, "x", 1));
        outbox.frame(&pong(), None);
        outbox.delta(delta(&one, Part::Text, "b", 3));
        outbox.delta(delta(&other, Part::Text, "y", 2));
        outbox.delta(delta(&one, Part::Thinking, "…", 4));
        assert_eq!(texts(&outbox), ["hm", "ab", "xy", "pong", "…"]);
        assert_eq!(lock(&outbox.queue).bytes, 0);
    }

    #[test]
    fn past_the_hard_limit_the_client_is_too_slow_and_nothing_is_kept() {
        let (outbox, reply) = (Outbox::default(), reply());
        for n in 0..1024 {
            assert!(!outbox.has_ended(), "after {n} KiB");
            outbox.delta(delta(&reply, Part::Text, &"x".repeat(1024), n));
        }
        outbox.delta(delta(&reply, Part::Text, &"x".repeat(1024), 2000));
        assert_eq!(outbox.ended().now_or_never(), Some(End::Ours(Close::TOO_SLOW)));
        assert_eq!(lock(&outbox.queue).items.capacity(), 0);
    }

    #[test]
    fn one_item_larger_than_the_limit_is_taken_when_nothing_waits() {
        let (outbox, reply) = (Outbox::default(), reply());
        outbox.delta(delta(&reply, Part::Text, &"x".repeat(2 * HARD_BYTES), 1));
        assert!(!outbox.has_ended());
    }

    #[tokio::test]
    async fn who_asks_for_room_waits_until_the_queue_is_below_the_soft_limit() {
        let (outbox, reply) = (Outbox::default(), reply());
        outbox.delta(delta(&reply, Part::Text, &"x".repeat(SOFT_BYTES), 1));
        let room = outbox.room();
        tokio::pin!(room);
        assert!(futures::poll!(&mut room).is_pending());
        assert!(outbox.try_next().is_some());
        assert!(futures::poll!(&mut room).is_ready());
    }

    #[test]
    fn a_ping_goes_ahead_of_what_waits_and_the_first_end_counts() {
        let (outbox, reply) = (Outbox::default(), reply());
        outbox.delta(delta(&reply, Part::Text, "a", 1));
        outbox.ping();
        assert!(matches!(outbox.try_next(), Some(Next::Ping)));
        outbox.end(End::Theirs(Some(1001)));
        outbox.end(End::Ours(Close::HEARTBEAT));
        assert!(matches!(outbox.try_next(), Some(Next::Ended)));
        assert_eq!(outbox.ended().now_or_never(), Some(End::Theirs(Some(1001))));
    }
}
