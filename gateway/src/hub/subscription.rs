//! A conversation on its way to a v1 socket, live: its events from the log, in the order of its versions; the output of
//! its replies from the bus; their ends between the events, where the log has them.

use std::collections::VecDeque;
use std::sync::Arc;

use slipstream_commands::ports::{BusEvent, LiveMessage};
use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{ConversationId, Epoch, GenerationId, Seq};
use slipstream_projections::{ConversationLog, QueryError, Versioned, conversation_events, generation_log};
use tokio::time::{Instant, sleep_until};

use super::event_frames::event_frame;
use super::listening::{Heard, Listening, RETRY};
use super::news::Signal;
use super::ordered_reply::{Facts, OrderedReply};
use super::viewer::Viewer;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::{Socket, Ticket};

/// Generations remembered as none of ours, or ours no more: a replaced owner may go on to tell of one.
const FORGOTTEN: usize = 4;

/// A conversation on its way to a socket.
pub(super) struct Subscription {
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    ticket: Ticket,
    conversation: ConversationId,
    listening: Listening,
    /// The last version told.
    version: i64,
    title: Option<String>,
    deleted: bool,
    replies: Vec<OrderedReply>,
    strangers: VecDeque<GenerationId>,
    /// Whether the log did not answer the last time.
    stale: bool,
}

enum Wake {
    SocketEnded,
    Room,
    Heard(Heard),
    Silence,
}

impl Subscription {
    pub(super) fn new(
        shared: &Arc<Shared>,
        socket: &Arc<Socket>,
        ticket: Ticket,
        conversation: ConversationId,
        listening: Listening,
        told: &ConversationLog,
        replies: Vec<OrderedReply>,
    ) -> Self {
        Self {
            shared: shared.clone(),
            socket: socket.clone(),
            ticket,
            conversation,
            listening,
            version: told.version(),
            title: told.title.as_ref().map(|title| title.as_str().to_owned()),
            deleted: told.deleted,
            replies,
            strangers: VecDeque::new(),
            stale: false,
        }
    }

    /// Sends everything as it happens, until the socket ends or the conversation is deleted and still. May be left
    /// anywhere: what is put is put at once.
    ///
    /// # Errors
    /// Something of the conversation cannot be read by this program.
    pub(super) async fn follow(mut self) -> Result<(), Refusal> {
        let mut heard_at = Instant::now();
        while !(self.deleted && self.replies.is_empty()) {
            let conflated = self.replies.iter().any(OrderedReply::is_conflated);
            let uneasy = self.stale || !self.listening.is_live();
            let look_at = heard_at + if uneasy { RETRY } else { self.shared.settings.look_every };
            let wake = tokio::select! {
                biased;
                _ = self.socket.ended() => Wake::SocketEnded,
                () = self.socket.room(), if conflated => Wake::Room,
                () = sleep_until(look_at) => Wake::Silence,
                heard = self.listening.next() => Wake::Heard(heard),
            };
            match wake {
                Wake::SocketEnded => break,
                Wake::Room => self.catch_up(OrderedReply::is_conflated).await,
                Wake::Silence => {
                    heard_at = Instant::now();
                    self.tell_events().await?;
                    self.catch_up(|_| true).await;
                }
                Wake::Heard(Heard::Signal(Signal::Changed | Signal::Look)) => self.tell_events().await?,
                // The change that says so follows.
                Wake::Heard(Heard::Signal(Signal::Ended(_))) => {}
                Wake::Heard(Heard::Live(event)) => {
                    if !self.stale {
                        heard_at = Instant::now();
                    }
                    self.live(event).await?;
                }
            }
        }
        Ok(())
    }

    async fn live(&mut self, event: BusEvent) -> Result<(), Refusal> {
        let message = match event {
            BusEvent::Message(message) => message,
            BusEvent::Lagged => {
                self.catch_up(|reply| !reply.is_conflated()).await;
                return Ok(());
            }
        };
        let id = match &*message {
            LiveMessage::Output { generation, .. } | LiveMessage::Beat { generation, .. } => *generation,
            LiveMessage::Cancel { .. }
            | LiveMessage::SignedOut { .. }
            | LiveMessage::SettingsUpdated { .. }
            | LiveMessage::ApiKeyUpdated { .. }
            | LiveMessage::Typing { .. }
            | LiveMessage::File { .. } => return Ok(()),
        };
        if !self.follows(id) && !self.strangers.contains(&id) {
            // Its request is in the log, of which this process has not heard yet.
            self.tell_events().await?;
            if !self.follows(id) && !self.stale {
                self.forget(id);
            }
        }
        if let Some(reply) = self.replies.iter_mut().find(|reply| reply.generation() == id) {
            reply.live(&self.shared, &self.socket, &message).await;
        }
        Ok(())
    }

    fn follows(&self, id: GenerationId) -> bool {
        self.replies.iter().any(|reply| reply.generation() == id)
    }

    fn forget(&mut self, id: GenerationId) {
        self.replies.retain(|reply| reply.generation() != id);
        if self.strangers.len() == FORGOTTEN {
            self.strangers.pop_front();
        }
        self.strangers.push_back(id);
    }

    async fn catch_up(&mut self, which: impl Fn(&OrderedReply) -> bool) {
        for reply in self.replies.iter_mut().filter(|reply| which(reply)) {
            reply.send_missing(&self.shared, &self.socket, None).await;
        }
    }

    /// Tells what is recorded and not told yet. When the log does not answer, the rest is told later.
    async fn tell_events(&mut self) -> Result<(), Refusal> {
        self.stale = match self.told().await {
            Ok(()) => false,
            Err(QueryError::Unavailable(error)) => {
                tracing::warn!(%error, conversation = %self.conversation, "a conversation cannot be read");
                true
            }
            Err(error @ QueryError::Unreadable(_)) => return Err(error.into()),
        };
        Ok(())
    }

    async fn told(&mut self) -> Result<(), QueryError> {
        let ticket = self.ticket.clone();
        let posting = ticket.posting().await;
        let events = conversation_events(&self.shared.tiers.log, self.conversation, self.version).await?;
        drop(posting);
        for (n, event) in events.iter().enumerate() {
            self.event(event, events.get(n + 1)).await?;
            self.version = event.version;
        }
        Ok(())
    }

    async fn event(&mut self, event: &Versioned, next: Option<&Versioned>) -> Result<(), QueryError> {
        let mut begins = None;
        match &event.event {
            ConversationEvent::ReplyRequested(reply) => {
                begins = self.reply(reply.generation_id).await?;
            }
            ConversationEvent::ReplyRecorded(recorded) => {
                let id = recorded.generation_id;
                if let Some(reply) = self.replies.iter_mut().find(|reply| reply.generation() == id) {
                    reply.finish(&self.shared, &self.socket, event.version).await?;
                }
                self.forget(id);
            }
            ConversationEvent::TitleSet(set) => {
                self.title = set.content.open().map(|content| content.title.as_str().to_owned());
            }
            ConversationEvent::ConversationDeleted(_) => self.deleted = true,
            ConversationEvent::ConversationStarted(_)
            | ConversationEvent::UserMessagePosted(_)
            | ConversationEvent::UserMessageQueued(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_)
            | ConversationEvent::ConversationSettingsChanged(_) => {}
        }
        self.socket.room().await;
        self.socket.frame(&event_frame(self.conversation, event, next));
        self.replies.extend(begins);
        Ok(())
    }

    /// A reply that begins; `None` when it is followed already, or can be read no more.
    async fn reply(&mut self, id: GenerationId) -> Result<Option<OrderedReply>, QueryError> {
        if self.follows(id) {
            return Ok(None);
        }
        let log = generation_log(&self.shared.tiers.log, id).await?;
        let facts = Facts::of(&log, self.conversation, id, self.title.clone());
        // In the first epoch, which needs no word; a later one is announced when it is read.
        let viewer = Viewer::at(Epoch::FIRST, Seq::START);
        Ok(facts.map(|facts| OrderedReply::new(facts, &self.shared.tiers, viewer, &self.socket)))
    }
}
