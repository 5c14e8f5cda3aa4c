//! What is asked of a model, and what becomes of it: the reply is requested at once, or the wish waits for the reply that
//! is being made.

use super::{Conversation, Queue, Settings};
use crate::event::{ConversationEvent, GenerationRequested, OwnWords, ReplyRequested, RequestContent};
use crate::ids::{ConversationId, GenerationId, MessageId};
use crate::values::{GenerationKind, KeySource, ModelId, Params, ProviderId, SystemPrompt};

/// What to do when a reply is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBusy {
    /// Wait for it (the v1 default).
    Queue,
    /// Stop it and go next.
    Replace,
    /// Refuse (the compat default).
    Reject,
}

/// A reply to ask for: of whom, how, and the ids of the attempt. The ids are new; the caller makes them. Parameters and
/// instructions are the request's own: the conversation's settings are added when the reply is requested.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Ask {
    pub generation_id: GenerationId,
    pub reply_message_id: MessageId,
    pub provider: ProviderId,
    pub model: ModelId,
    pub kind: GenerationKind,
    pub params: Params,
    pub system_prompt: Option<SystemPrompt>,
    pub key_source: KeySource,
}

/// A generation to request, with the event that opens its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneration {
    /// Its id.
    pub id: GenerationId,
    /// Its first event.
    pub requested: GenerationRequested,
}

/// What asking for a reply leads to: all of it goes into one append.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The conversation's events.
    pub events: Vec<ConversationEvent>,
    /// The reply that is requested now.
    pub generation: Option<NewGeneration>,
    /// The running reply that must be cancelled.
    pub cancel: Option<GenerationId>,
    /// How many wait now, this one included; `None` when it was asked at once.
    pub queued: Option<usize>,
}

/// Why a reply cannot be asked for while another is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Occupied {
    /// A reply is being made and the sender does not want to wait.
    #[error("a reply is being made in this conversation")]
    Busy,
    /// Too many wait.
    #[error("{} messages wait in this conversation already", Queue::MAX)]
    QueueFull,
}

/// Whether a reply can be asked for now.
pub(super) enum Turn {
    /// Nothing runs.
    Now,
    /// It waits: at the head, with the running reply to cancel, or at the tail.
    Later { cancel: Option<GenerationId> },
}

impl Ask {
    pub(super) fn reply_to(&self, message: MessageId) -> ReplyRequested {
        ReplyRequested {
            generation_id: self.generation_id,
            message_id: self.reply_message_id,
            parent_message_id: message,
        }
    }

    pub(super) fn into_generation(
        self,
        conversation_id: ConversationId,
        settings: &Settings,
    ) -> NewGeneration {
        let own = OwnWords { params: self.params, system_prompt: self.system_prompt.is_some() };
        let params = self.params.or(settings.params);
        let system_prompt = self.system_prompt.or_else(|| settings.system_prompt.clone());
        let all_own = params == own.params && system_prompt.is_some() == own.system_prompt;
        let requested = GenerationRequested {
            conversation_id,
            message_id: self.reply_message_id,
            provider: self.provider,
            model: self.model,
            params,
            own: (!all_own).then_some(own),
            key_source: self.key_source,
            kind: self.kind,
            content: RequestContent { system_prompt }.into(),
        };
        NewGeneration { id: self.generation_id, requested }
    }
}

impl Asked {
    pub(super) fn now(events: Vec<ConversationEvent>, generation: NewGeneration) -> Self {
        Self { events, generation: Some(generation), cancel: None, queued: None }
    }
}

impl Conversation {
    pub(super) fn turn(&self, on_busy: OnBusy) -> Result<Turn, Occupied> {
        let Some(running) = self.running() else { return Ok(Turn::Now) };
        let cancel = match on_busy {
            OnBusy::Reject => return Err(Occupied::Busy),
            OnBusy::Queue => None,
            OnBusy::Replace => Some(running.generation_id),
        };
        if self.queued().len() < Queue::MAX { Ok(Turn::Later { cancel }) } else { Err(Occupied::QueueFull) }
    }

    pub(super) fn wait(&self, event: ConversationEvent, cancel: Option<GenerationId>) -> Asked {
        let queued = Some(self.queued().len() + 1);
        Asked { events: vec![event], generation: None, cancel, queued }
    }
}
