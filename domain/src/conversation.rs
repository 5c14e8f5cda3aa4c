//! A conversation: a tree of messages, the leaf it is shown at, the reply being made, and what waits for its end.
//!
//! At most one reply is made at a time. What a message says plays no part in any rule.

mod ask;
mod post;
mod queue;
mod redo;
mod reply;
mod settings;
mod tree;

use std::collections::VecDeque;

pub use ask::{Ask, Asked, NewGeneration, Occupied, OnBusy};
pub use post::{EditMessage, PostMessage, PostRejection, RedoRejection};
pub use queue::{Queue, Waiting};
pub use redo::RegenerateReply;
pub use reply::Reply;
pub use settings::{Patch, Settings, SettingsPatch};
pub use tree::{MessageRejection, MessageTree, ReplyNode, Said};

use crate::event::{
    ConversationDeleted, ConversationEvent, Meta, QueuedMessageWithdrawn, ReplyRequested, TitleContent,
    TitleSet, WithdrawReason,
};
use crate::ids::{GenerationId, UserId};
use crate::values::{Cost, Title, TitleSource, TokenUsage};

/// The state of a conversation's stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conversation {
    phase: Phase,
    owner: Option<UserId>,
    messages: MessageTree,
    running: Option<ReplyRequested>,
    queue: Queue,
    settings: Settings,
    title_source: Option<TitleSource>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    NotStarted,
    Active,
    Deleted,
}

/// The conversation does not exist, is deleted, or is another user's: the answer is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such conversation")]
pub struct NoSuchConversation;

/// A title that a model made, and what that took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestedTitle {
    /// The title.
    pub title: Title,
    /// Tokens it took, when they are known.
    pub usage: Option<TokenUsage>,
    /// What they cost, when the price is known.
    pub cost: Option<Cost>,
}

/// What deleting a conversation leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Deletion {
    /// The conversation's events.
    pub events: Vec<ConversationEvent>,
    /// The reply that must be stopped in the same append.
    pub cancel: Option<GenerationId>,
}

impl Conversation {
    /// The reply being made: requested and not yet recorded.
    #[must_use]
    pub fn running(&self) -> Option<&ReplyRequested> {
        self.running.as_ref()
    }

    /// The messages and the leaf.
    #[must_use]
    pub fn messages(&self) -> &MessageTree {
        &self.messages
    }

    /// What waits, first to go first.
    #[must_use]
    pub fn queued(&self) -> &VecDeque<Waiting> {
        self.queue.waiting()
    }

    /// What holds for its requests.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nothing has happened yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.phase == Phase::NotStarted
    }

    /// # Errors
    /// It does not exist, is deleted, or is not `actor`'s.
    pub fn check_owner(&self, actor: UserId) -> Result<(), NoSuchConversation> {
        let own = self.phase == Phase::Active && self.owner == Some(actor);
        if own { Ok(()) } else { Err(NoSuchConversation) }
    }

    /// The user names it.
    ///
    /// # Errors
    /// It does not exist, is deleted, or is not `actor`'s.
    pub fn rename(&self, actor: UserId, title: Title) -> Result<ConversationEvent, NoSuchConversation> {
        self.check_owner(actor)?;
        Ok(title_set(TitleSource::User, title))
    }

    /// Where its title came from; `None` while it has none.
    #[must_use]
    pub fn title_source(&self) -> Option<TitleSource> {
        self.title_source
    }

    /// A model names it; `None` when the user has named it already.
    ///
    /// # Errors
    /// It does not exist or is deleted.
    pub fn suggest_title(
        &self,
        suggested: SuggestedTitle,
    ) -> Result<Option<ConversationEvent>, NoSuchConversation> {
        if self.phase != Phase::Active {
            return Err(NoSuchConversation);
        }
        let SuggestedTitle { title, usage, cost } = suggested;
        let set =
            TitleSet { source: TitleSource::Generated, usage, cost, content: TitleContent { title }.into() };
        let keep = self.title_source == Some(TitleSource::User);
        Ok((!keep).then_some(ConversationEvent::TitleSet(set)))
    }

    /// The user deletes it: what waits is withdrawn, what runs must be cancelled in the same append. Deleting a
    /// deleted one is no event.
    ///
    /// # Errors
    /// It does not exist, or is not `actor`'s.
    pub fn delete(&self, actor: UserId) -> Result<Deletion, NoSuchConversation> {
        if self.phase == Phase::Deleted && self.owner == Some(actor) {
            return Ok(Deletion { events: Vec::new(), cancel: None });
        }
        self.check_owner(actor)?;
        let withdrawn = self.queue.waiting().iter().map(|waiting| withdraw(waiting, WithdrawReason::Deleted));
        let events =
            withdrawn.chain([ConversationEvent::ConversationDeleted(ConversationDeleted {})]).collect();
        Ok(Deletion { events, cancel: self.running.map(|reply| reply.generation_id) })
    }

    /// The user withdraws what waits to be answered by `generation`; `None` when nothing such waits.
    ///
    /// # Errors
    /// It does not exist, is deleted, or is not `actor`'s.
    pub fn withdraw(
        &self,
        actor: UserId,
        generation: GenerationId,
    ) -> Result<Option<ConversationEvent>, NoSuchConversation> {
        self.check_owner(actor)?;
        let found = self.queue.waiting().iter().find(|waiting| waiting.generation_id() == generation);
        Ok(found.map(|waiting| withdraw(waiting, WithdrawReason::Cancelled)))
    }

    /// Takes an event of this stream in.
    pub fn evolve(&mut self, event: &ConversationEvent, meta: Meta) {
        match event {
            ConversationEvent::ConversationStarted(_) => {
                (self.phase, self.owner) = (Phase::Active, meta.owner);
            }
            ConversationEvent::UserMessagePosted(posted) => {
                self.queue.remove(posted.message_id);
                self.messages.insert_said(posted);
            }
            ConversationEvent::ReplyRequested(reply) => {
                self.queue.remove(reply.message_id);
                self.messages.insert_reply(reply);
                self.running = Some(*reply);
            }
            ConversationEvent::UserMessageQueued(queued) => {
                self.queue.insert(Waiting::Message(Box::new(queued.clone())));
            }
            ConversationEvent::ReplyQueued(queued) => self.queue.insert(Waiting::Reply(queued.clone())),
            ConversationEvent::QueuedMessageWithdrawn(withdrawn) => self.queue.remove(withdrawn.message_id),
            ConversationEvent::ReplyRecorded(_) => {
                if let Some(running) = self.running.take() {
                    self.messages.set_leaf(self.messages.leaf_after(&running));
                }
            }
            ConversationEvent::LeafChosen(chosen) => self.messages.set_leaf(Some(chosen.message_id)),
            ConversationEvent::MessageRated(rated) => self.messages.rate(rated.message_id, rated.rating),
            ConversationEvent::TitleSet(title) => self.title_source = Some(title.source),
            ConversationEvent::ConversationSettingsChanged(changed) => self.settings = changed.into(),
            ConversationEvent::ConversationDeleted(_) => self.phase = Phase::Deleted,
        }
    }
}

fn title_set(source: TitleSource, title: Title) -> ConversationEvent {
    let (usage, cost) = (None, None);
    ConversationEvent::TitleSet(TitleSet { source, usage, cost, content: TitleContent { title }.into() })
}

fn withdraw(waiting: &Waiting, reason: WithdrawReason) -> ConversationEvent {
    let message_id = waiting.message_id();
    ConversationEvent::QueuedMessageWithdrawn(QueuedMessageWithdrawn { message_id, reason })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tree_law;
