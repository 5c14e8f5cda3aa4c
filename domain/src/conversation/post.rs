//! The user says something, for the first time or instead of what they said before.

use super::ask::{Ask, Asked, Occupied, OnBusy, Turn};
use super::tree::MessageRejection;
use super::{Conversation, NoSuchConversation, title_set};
use crate::event::{
    ConversationEvent, ConversationStarted, MessageContent, QueuedContent, UserMessagePosted,
    UserMessageQueued,
};
use crate::ids::{AttachmentId, ConversationId, MessageId, UserId};
use crate::values::{Title, TitleSource};

/// A message to post. Its id is new; the caller makes it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PostMessage {
    pub conversation_id: ConversationId,
    pub message_id: MessageId,
    /// What it follows; the leaf when absent.
    pub parent_message_id: Option<MessageId>,
    pub attachment_ids: Vec<AttachmentId>,
    pub content: MessageContent,
    pub ask: Ask,
    pub on_busy: OnBusy,
}

/// Another version of a message the user said before. Its id is new; the caller makes it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct EditMessage {
    pub conversation_id: ConversationId,
    /// The message it is another version of.
    pub edited_from: MessageId,
    pub message_id: MessageId,
    pub content: MessageContent,
    pub ask: Ask,
    pub on_busy: OnBusy,
}

/// Why a message cannot be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostRejection {
    /// There is no such conversation for this user.
    #[error(transparent)]
    NoSuchConversation(#[from] NoSuchConversation),
    /// The parent is not a message of this conversation, or one that cannot be followed.
    #[error("parentMessageId is not a message of this conversation that can be answered")]
    UnknownParent,
    /// Another reply is being made.
    #[error(transparent)]
    Occupied(#[from] Occupied),
}

/// Why a message cannot be edited, or a reply not made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedoRejection {
    /// It is not a message that can be.
    #[error(transparent)]
    Message(#[from] MessageRejection),
    /// Another reply is being made.
    #[error(transparent)]
    Occupied(#[from] Occupied),
}

/// A message, and where it goes.
struct Placed {
    conversation_id: ConversationId,
    message_id: MessageId,
    /// Named by the sender, or by the message it stands beside.
    parent: Option<MessageId>,
    edited_from: Option<MessageId>,
    attachment_ids: Vec<AttachmentId>,
    content: MessageContent,
    ask: Ask,
}

impl Conversation {
    /// The user says something. A conversation that does not exist yet is started; the caller has made its id.
    ///
    /// # Errors
    /// See [`PostRejection`].
    pub fn post(&self, actor: UserId, command: PostMessage) -> Result<Asked, PostRejection> {
        if !self.is_new() {
            self.check_owner(actor)?;
        }
        let PostMessage {
            conversation_id,
            message_id,
            parent_message_id: parent,
            attachment_ids,
            content,
            ask,
            on_busy,
        } = command;
        if parent.is_some_and(|parent| self.messages().role(parent).is_none()) {
            return Err(PostRejection::UnknownParent);
        }
        let edited_from = None;
        let message =
            Placed { conversation_id, message_id, parent, edited_from, attachment_ids, content, ask };
        Ok(self.say(message, on_busy)?)
    }

    /// The user says something else instead: a sibling of what they said, with its files, and a reply of its own. What
    /// was said before stays, with all that follows it.
    ///
    /// # Errors
    /// See [`RedoRejection`]: `NoSuchConversation`, `NoSuchMessage`, `NotYours`, `Busy`, `QueueFull`.
    pub fn edit(&self, actor: UserId, command: EditMessage) -> Result<Asked, RedoRejection> {
        self.check_owner(actor).map_err(MessageRejection::from)?;
        let before = self.messages().said(command.edited_from)?;
        let message = Placed {
            conversation_id: command.conversation_id,
            message_id: command.message_id,
            parent: before.parent,
            edited_from: Some(command.edited_from),
            attachment_ids: before.attachment_ids.clone(),
            content: command.content,
            ask: command.ask,
        };
        Ok(self.say(message, command.on_busy)?)
    }

    fn say(&self, message: Placed, on_busy: OnBusy) -> Result<Asked, Occupied> {
        Ok(match self.turn(on_busy)? {
            Turn::Now => self.say_now(message),
            Turn::Later { cancel } => self.wait(message.queued(cancel.is_some()), cancel),
        })
    }

    /// An edit stands where the message it replaces stands, which may be at the beginning.
    fn say_now(&self, message: Placed) -> Asked {
        let mut events = Vec::with_capacity(4);
        let otherwise = if message.edited_from.is_some() { None } else { self.messages().leaf() };
        let title = self.is_new().then(|| Title::provisional(&message.content.text));
        if self.is_new() {
            events.push(ConversationEvent::ConversationStarted(ConversationStarted {}));
        }
        let reply = message.ask.reply_to(message.message_id);
        events.push(ConversationEvent::UserMessagePosted(UserMessagePosted {
            message_id: message.message_id,
            parent_message_id: message.parent.or(otherwise),
            attachment_ids: message.attachment_ids,
            edited_from: message.edited_from,
            content: message.content.into(),
        }));
        events.push(ConversationEvent::ReplyRequested(reply));
        events.extend(title.map(|title| title_set(TitleSource::Provisional, title)));
        Asked::now(events, message.ask.into_generation(message.conversation_id, self.settings()))
    }
}

impl Placed {
    fn queued(self, at_head: bool) -> ConversationEvent {
        let ask = self.ask;
        ConversationEvent::UserMessageQueued(UserMessageQueued {
            message_id: self.message_id,
            parent_message_id: self.parent,
            edited_from: self.edited_from,
            attachment_ids: self.attachment_ids,
            provider: ask.provider,
            model: ask.model,
            kind: ask.kind,
            params: ask.params,
            generation_id: ask.generation_id,
            reply_message_id: ask.reply_message_id,
            at_head,
            content: QueuedContent { message: self.content, system_prompt: ask.system_prompt }.into(),
        })
    }
}
