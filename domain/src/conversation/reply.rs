//! The end of a reply: recorded in the conversation, and the next waiting message goes out in the same append.

use super::{Conversation, withdraw};
use crate::event::{
    ConversationEvent, GenerationRequested, ReplyRecorded, ReplyRequested, RequestContent, UserMessagePosted,
    UserMessageQueued, WithdrawReason,
};
use crate::ids::{ConversationId, GenerationId, MessageId};
use crate::values::{GenerationKind, KeySource, ModelId, Params, ProviderId, Seq, TerminalStatus};

/// A generation to request, with the event that opens its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGeneration {
    /// Its id.
    pub id: GenerationId,
    /// Its first event.
    pub requested: GenerationRequested,
}

/// What the end of a reply leads to: all of it goes into one append, beside the generation's own last event.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The conversation's events.
    pub events: Vec<ConversationEvent>,
    /// The next reply, when a message waited.
    pub next: Option<NewGeneration>,
}

impl NewGeneration {
    pub(super) fn chat(
        conversation_id: ConversationId,
        reply: ReplyRequested,
        provider: ProviderId,
        model: ModelId,
        params: Params,
        key_source: KeySource,
        content: RequestContent,
    ) -> Self {
        let requested = GenerationRequested {
            conversation_id,
            message_id: reply.message_id,
            provider,
            model,
            params,
            key_source,
            kind: GenerationKind::Chat,
            content: content.into(),
        };
        Self { id: reply.generation_id, requested }
    }
}

impl Conversation {
    /// The running reply `generation` has ended. Accepted after the conversation was deleted, but then nothing follows.
    /// `None` when it is not the running one: it was recorded before.
    ///
    /// `key_source` decides whose key pays for the message that goes out next.
    #[must_use]
    pub fn record_reply(
        &self,
        id: ConversationId,
        generation: GenerationId,
        status: TerminalStatus,
        final_seq: Seq,
        key_source: impl Fn(&ProviderId) -> KeySource,
    ) -> Option<Reply> {
        let running = self.running().filter(|reply| reply.generation_id == generation)?;
        let mut events = vec![ConversationEvent::ReplyRecorded(ReplyRecorded {
            message_id: running.message_id,
            parent_message_id: Some(running.parent_message_id),
            generation_id: generation,
            status,
            final_seq,
        })];
        let mut next = None;
        for queued in self.queued() {
            match send(id, running.message_id, queued, &key_source) {
                Some((posted, generation)) => {
                    events.extend(posted);
                    next = Some(generation);
                    break;
                }
                None => events.push(withdraw(queued, WithdrawReason::Erased)),
            }
        }
        Some(Reply { events, next })
    }
}

/// `None` when the waiting message's text was erased.
fn send(
    conversation_id: ConversationId,
    parent: MessageId,
    queued: &UserMessageQueued,
    key_source: impl Fn(&ProviderId) -> KeySource,
) -> Option<([ConversationEvent; 2], NewGeneration)> {
    let event = queued.clone();
    let content = event.content.into_open()?;
    let reply = ReplyRequested {
        generation_id: event.generation_id,
        message_id: event.reply_message_id,
        parent_message_id: event.message_id,
    };
    let posted = UserMessagePosted {
        message_id: event.message_id,
        parent_message_id: event.parent_message_id.or(Some(parent)),
        attachment_ids: event.attachment_ids,
        edited_from: None,
        content: content.message.into(),
    };
    let key = key_source(&event.provider);
    let generation = NewGeneration::chat(
        conversation_id,
        reply,
        event.provider,
        event.model,
        event.params,
        key,
        RequestContent { system_prompt: content.system_prompt },
    );
    let events = [ConversationEvent::UserMessagePosted(posted), ConversationEvent::ReplyRequested(reply)];
    Some((events, generation))
}
