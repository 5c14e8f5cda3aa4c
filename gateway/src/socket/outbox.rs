//! What waits to be written to one socket: bounded in bytes whatever the client and the replies do.
//!
//! Deltas wait as deltas, not as frames: one that finds its neighbour still waiting is joined to it, so a slow client
//! gets fewer, longer frames and loses nothing. Knows nothing of the wire; the writer asks for one item after another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use slipstream_domain::{AttachmentId, Epoch, GenerationId, MessageId, Part, Seq};
use slipstream_projections::Output;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::close::{Close, End};
use crate::lock;
use crate::protocol::{ChatChunk, ChatHead, InlineData, PlaceInReply, ServerFrame};

/// Above this, who can wait (a replay, the end of a reply) waits (`04-streaming-and-resume`, "Slow consumers").
pub(crate) const SOFT_BYTES: usize = 256 * 1024;
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
    /// Text, thinking or a picture.
    pub(crate) part: Part,
    /// To append.
    pub(crate) text: String,
    /// How long the model has thought, in milliseconds.
    pub(crate) thinking_ms: Option<u64>,
    /// The first delta in it; v1 only.
    pub(crate) from: Seq,
    /// The last delta in it.
    pub(crate) to: Seq,
    /// Bytes of its part before it; v1 only.
    pub(crate) offset: u64,
    /// The picture, when it is one.
    pub(crate) picture: Option<AttachmentId>,
    /// The URL that shows it, or is it (`data:`); `None` when it cannot be shown for now.
    pub(crate) shown: Option<String>,
}

/// What became of output of an ordered reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It waits to be written, or the socket has ended.
    Taken,
    /// The client is slow: nothing of the reply after this delta will be written. It is put again when there is room.
    Conflated(Seq),
}

/// A reply as one socket sees it.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What each of its frames says.
    pub(crate) head: Arc<ChatHead>,
    /// Which epoch of which attempt it is, where the client is told (v1).
    pub(crate) ordered: Option<Ordered>,
    written: AtomicU64,
    ended: Notify,
}

/// What the place of output in an ordered reply is said with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ordered {
    pub(crate) generation: GenerationId,
    pub(crate) message: MessageId,
    pub(crate) epoch: Epoch,
}

impl Reply {
    pub(crate) fn new(head: Arc<ChatHead>, written: Seq) -> Arc<Self> {
        Arc::new(Self { head, ordered: None, written: AtomicU64::new(written.0), ended: Notify::new() })
    }

    /// One epoch of a reply whose client is told the place of each piece.
    pub(crate) fn ordered(head: Arc<ChatHead>, ordered: Ordered) -> Arc<Self> {
        Arc::new(Self { head, ordered: Some(ordered), written: AtomicU64::new(0), ended: Notify::new() })
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

    /// Puts live output of an ordered reply. Above the soft limit it is not taken, and what waits of the reply is dropped:
    /// memory does not grow with what a slow client misses.
    pub(super) fn ordered(&self, delta: Delta) -> Put {
        let mut queue = lock(&self.queue);
        if queue.end.is_some() {
            return Put::Taken;
        }
        if queue.bytes > 0 && queue.bytes + ITEM_BYTES + delta.text.len() > SOFT_BYTES {
            return Put::Conflated(queue.conflate(&delta));
        }
        drop(queue);
        self.put(Item::Delta(delta));
        Put::Taken
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
    /// Drops what waits of the delta's reply, and says after which delta nothing of it is left.
    fn conflate(&mut self, delta: &Delta) -> Seq {
        let (mut first, mut bytes) = (delta.from, self.bytes);
        self.items.retain(|item| match item {
            Item::Delta(waiting) if Arc::ptr_eq(&waiting.reply, &delta.reply) => {
                first = first.min(waiting.from);
                bytes -= item.weight();
                false
            }
            Item::Delta(_) | Item::Frame { .. } => true,
        });
        self.bytes = bytes;
        Seq(first.0.saturating_sub(1))
    }

    /// Joins a delta to its neighbour, if that still waits; gives the item back otherwise.
    fn join(&mut self, item: Item) -> Option<Item> {
        let Item::Delta(delta) = item else { return Some(item) };
        let same_reply = |item: &&mut Item| match item {
            Item::Delta(waiting) => Arc::ptr_eq(&waiting.reply, &delta.reply),
            Item::Frame { .. } => false,
        };
        match self.items.iter_mut().rev().find(same_reply) {
            Some(Item::Delta(waiting)) if waiting.is_followed_by(&delta) => {
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
    /// What it counts for. A frame or a picture that is larger than the soft limit alone counts as much: it is put when there is room,
    /// one after another, and must not end a socket whose client reads.
    fn weight(&self) -> usize {
        match self {
            Self::Frame { json, .. } => (ITEM_BYTES + json.len()).min(SOFT_BYTES),
            Self::Delta(Delta { shown: Some(shown), .. }) => (ITEM_BYTES + shown.len()).min(SOFT_BYTES),
            Self::Delta(delta) => ITEM_BYTES + delta.text.len(),
        }
    }
}

impl Delta {
    /// Output of one epoch of an ordered reply.
    pub(crate) fn of(reply: Arc<Reply>, output: Output) -> Self {
        let Output { run, thinking_ms } = output;
        let (from, to, offset) = (run.from, run.to(), run.start_offset);
        let (part, text, picture) = (run.part, run.text, run.attachment);
        Self { reply, part, text, thinking_ms, from, to, offset, picture, shown: None }
    }

    /// Whether `next`, of the same reply, goes on where this ends. Of a compat reply nothing is ever missing between.
    fn is_followed_by(&self, next: &Self) -> bool {
        let neighbours = self.reply.ordered.is_none() || next.from == self.to.next();
        self.part == next.part && self.part != Part::Image && neighbours
    }

    /// Its frame.
    pub(crate) fn frame(self) -> ServerFrame {
        let head = self.reply.head.clone();
        let place = self.reply.ordered.map(|ordered| PlaceInReply {
            generation_id: ordered.generation,
            message_id: ordered.message,
            epoch: ordered.epoch,
            seq: self.to,
            count: self.to.next().0.saturating_sub(self.from.0),
            offset: self.offset,
            part: self.part,
        });
        if let Some(picture) = self.picture {
            return ServerFrame::ChatInlineData(InlineData::new(head, picture, self.shown, place));
        }
        let chunk = match self.part {
            Part::Thinking => ChatChunk::thinking(head, self.text, self.thinking_ms),
            Part::Text | Part::Image => ChatChunk::text(head, self.text, self.thinking_ms),
        };
        ServerFrame::ChatChunk(ChatChunk { place, ..chunk })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use slipstream_domain::{Run, UserId};
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
        let run = Run::delta(Seq(to), part, to, text.into());
        Delta::of(reply.clone(), Output { run, thinking_ms: None })
    }

    fn ordered() -> Arc<Reply> {
        let ordered = Ordered {
            generation: GenerationId::from_uuid(Uuid::nil()),
            message: MessageId::from_uuid(Uuid::nil()),
            epoch: Epoch::FIRST,
        };
        Reply::ordered(reply().head.clone(), ordered)
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
    fn waiting_deltas_of_an_ordered_reply_become_one_only_if_they_are_neighbours() {
        let (outbox, reply) = (Outbox::default(), ordered());
        for seq in [1, 2, 4, 5] {
            assert_eq!(outbox.ordered(delta(&reply, Part::Text, "x", seq)), Put::Taken);
        }
        assert_eq!(texts(&outbox), ["xx", "xx"]);
    }

    #[test]
    fn past_the_soft_limit_what_waits_of_an_ordered_reply_is_dropped_and_others_stay() {
        let (outbox, one, other) = (Outbox::default(), ordered(), ordered());
        let much = "x".repeat(SOFT_BYTES / 2 - 1024);
        assert_eq!(outbox.ordered(delta(&one, Part::Text, "one", 7)), Put::Taken);
        outbox.frame(&pong(), None);
        assert_eq!(outbox.ordered(delta(&one, Part::Text, &much, 8)), Put::Taken);
        assert_eq!(outbox.ordered(delta(&other, Part::Text, &much, 1)), Put::Taken);
        assert_eq!(outbox.ordered(delta(&one, Part::Text, &much, 9)), Put::Conflated(Seq(6)));
        assert_eq!(texts(&outbox), ["pong".to_owned(), much]);
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

    #[test]
    fn large_pictures_one_after_another_do_not_end_a_socket_whose_client_reads() {
        let (outbox, reply) = (Outbox::default(), reply());
        let run = Run::image(Seq(1), AttachmentId::from_uuid(Uuid::nil()));
        for _ in 0..2 {
            let output = Output { run: run.clone(), thinking_ms: None };
            let shown = Some("x".repeat(2 * HARD_BYTES));
            outbox.delta(Delta { shown, ..Delta::of(reply.clone(), output) });
        }
        assert!(!outbox.has_ended());
        assert!(matches!(outbox.try_next(), Some(Next::Item(Item::Delta(delta))) if delta.picture.is_some()));
        assert!(outbox.try_next().is_some());
        assert_eq!(lock(&outbox.queue).bytes, 0);
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
