//! A reply is made again beside the one there is; the leaf is moved; a reply is rated. None of it changes what was said.

use super::Conversation;
use super::ask::{Ask, Asked, OnBusy, Turn};
use super::post::RedoRejection;
use super::tree::MessageRejection;
use crate::event::{ConversationEvent, LeafChosen, MessageRated, ReplyQueued, RequestContent};
use crate::ids::{ConversationId, MessageId, UserId};
use crate::values::Rating;

/// A reply to make again.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RegenerateReply {
    pub conversation_id: ConversationId,
    /// The reply that is there, however it ended.
    pub message_id: MessageId,
    pub ask: Ask,
    pub on_busy: OnBusy,
}

impl Conversation {
    /// Another reply to the same message. The leaf moves back to that message, so that the new reply becomes the leaf
    /// when it is recorded. The reply being made can be made again too, once it has ended.
    ///
    /// # Errors
    /// See [`RedoRejection`]: `NoSuchConversation`, `NoSuchMessage`, `NotAReply`, `Busy`, `QueueFull`.
    pub fn regenerate(&self, actor: UserId, command: RegenerateReply) -> Result<Asked, RedoRejection> {
        self.check_owner(actor).map_err(MessageRejection::from)?;
        let answers = self.messages().reply(command.message_id)?.answers;
        let ask = command.ask;
        match self.turn(command.on_busy)? {
            Turn::Now => {
                let events = answer_again(self.messages().leaf(), answers, &ask).collect();
                Ok(Asked::now(events, ask.into_generation(command.conversation_id, self.settings())))
            }
            Turn::Later { cancel } => {
                let queued = ReplyQueued {
                    message_id: ask.reply_message_id,
                    parent_message_id: answers,
                    generation_id: ask.generation_id,
                    provider: ask.provider,
                    model: ask.model,
                    kind: ask.kind,
                    params: ask.params,
                    at_head: cancel.is_some(),
                    content: RequestContent { system_prompt: ask.system_prompt }.into(),
                };
                Ok(self.wait(ConversationEvent::ReplyQueued(queued), cancel))
            }
        }
    }

    /// The conversation is shown at this message from now on, and the next one follows it; `None` when it is already.
    ///
    /// # Errors
    /// `NoSuchConversation`, `NoSuchMessage`.
    pub fn choose_leaf(
        &self,
        actor: UserId,
        message_id: MessageId,
    ) -> Result<Option<ConversationEvent>, MessageRejection> {
        self.check_owner(actor)?;
        self.messages().role(message_id).ok_or(MessageRejection::NoSuchMessage)?;
        let chosen = self.messages().leaf() == Some(message_id);
        Ok((!chosen).then_some(ConversationEvent::LeafChosen(LeafChosen { message_id })))
    }

    /// What the user thinks of a reply, at any time after it was requested; `None` when it is rated so already.
    ///
    /// # Errors
    /// `NoSuchConversation`, `NoSuchMessage`, `NotAReply`.
    pub fn rate(
        &self,
        actor: UserId,
        message_id: MessageId,
        rating: Rating,
    ) -> Result<Option<ConversationEvent>, MessageRejection> {
        self.check_owner(actor)?;
        let rated = self.messages().reply(message_id)?.rating == rating;
        Ok((!rated).then_some(ConversationEvent::MessageRated(MessageRated { message_id, rating })))
    }
}

/// The events that ask for another reply to `answers`, when the conversation is shown at `leaf`.
pub(super) fn answer_again(
    leaf: Option<MessageId>,
    answers: MessageId,
    ask: &Ask,
) -> impl Iterator<Item = ConversationEvent> + use<> {
    let back = (leaf != Some(answers)).then_some(LeafChosen { message_id: answers });
    let requested = ConversationEvent::ReplyRequested(ask.reply_to(answers));
    back.map(ConversationEvent::LeafChosen).into_iter().chain([requested])
}
