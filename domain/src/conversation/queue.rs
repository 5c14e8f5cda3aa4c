//! What waits while a reply is being made: messages, and wishes to have a reply made again.

use std::collections::VecDeque;

use super::ask::Ask;
use crate::event::{ReplyQueued, UserMessageQueued};
use crate::ids::{GenerationId, MessageId};
use crate::values::{KeySource, ProviderId};

/// What waits, first to go first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue(VecDeque<Waiting>);

/// One that waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Waiting {
    /// A message; it is not in the tree yet.
    Message(Box<UserMessageQueued>),
    /// Another reply to a message that is.
    Reply(ReplyQueued),
}

impl Waiting {
    /// What it is withdrawn by: the message, or the reply's message.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        match self {
            Self::Message(queued) => queued.message_id,
            Self::Reply(queued) => queued.message_id,
        }
    }

    /// The attempt that will be requested.
    #[must_use]
    pub fn generation_id(&self) -> GenerationId {
        match self {
            Self::Message(queued) => queued.generation_id,
            Self::Reply(queued) => queued.generation_id,
        }
    }

    /// Whom it asks.
    #[must_use]
    pub fn provider(&self) -> &ProviderId {
        match self {
            Self::Message(queued) => &queued.provider,
            Self::Reply(queued) => &queued.provider,
        }
    }

    fn at_head(&self) -> bool {
        match self {
            Self::Message(queued) => queued.at_head,
            Self::Reply(queued) => queued.at_head,
        }
    }
}

/// What a waiting message asks; `None` when its text was erased.
pub(super) fn message_ask(queued: &UserMessageQueued, key_source: KeySource) -> Option<Ask> {
    let content = queued.content.open()?;
    Some(Ask {
        generation_id: queued.generation_id,
        reply_message_id: queued.reply_message_id,
        provider: queued.provider.clone(),
        model: queued.model.clone(),
        kind: queued.kind,
        params: queued.params,
        system_prompt: content.system_prompt.clone(),
        key_source,
    })
}

/// What a waiting reply asks; `None` when its instructions were erased.
pub(super) fn reply_ask(queued: &ReplyQueued, key_source: KeySource) -> Option<Ask> {
    let content = queued.content.open()?;
    Some(Ask {
        generation_id: queued.generation_id,
        reply_message_id: queued.message_id,
        provider: queued.provider.clone(),
        model: queued.model.clone(),
        kind: queued.kind,
        params: queued.params,
        system_prompt: content.system_prompt.clone(),
        key_source,
    })
}

impl Queue {
    /// How many may wait (`04-streaming-and-resume`, "One at a time").
    pub const MAX: usize = 10;

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> &VecDeque<Waiting> {
        &self.0
    }

    pub(super) fn insert(&mut self, waiting: Waiting) {
        if waiting.at_head() { self.0.push_front(waiting) } else { self.0.push_back(waiting) }
    }

    pub(super) fn remove(&mut self, message: MessageId) {
        self.0.retain(|waiting| waiting.message_id() != message);
    }
}

#[cfg(test)]
impl Queue {
    /// What an erasure leaves of what waits.
    pub(super) fn erase(&mut self, message: MessageId) {
        for waiting in self.0.iter_mut().filter(|waiting| waiting.message_id() == message) {
            match waiting {
                Waiting::Message(queued) => queued.content = crate::sealed::Sealed::Erased,
                Waiting::Reply(queued) => queued.content = crate::sealed::Sealed::Erased,
            }
        }
    }
}
