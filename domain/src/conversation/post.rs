//! Posting a message: at once when nothing runs, else as the sender asks.

use super::reply::NewGeneration;
use super::{Conversation, NoSuchConversation, Queue, title_set};
use crate::event::{
    ConversationEvent, ConversationStarted, MessageContent, QueuedContent, ReplyRequested, RequestContent,
    UserMessagePosted, UserMessageQueued,
};
use crate::ids::{AttachmentId, ConversationId, GenerationId, MessageId, UserId};
use crate::values::{KeySource, ModelId, Params, ProviderId, SystemPrompt, Title, TitleSource};

/// What to do when a reply is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBusy {
    /// Wait for it (the v1 default).
    Queue,
    /// Stop it and go next.
    Replace,
    /// Refuse the message (the compat default).
    Reject,
}

/// A message to post. The ids are new; the caller makes them.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PostMessage {
    pub conversation_id: ConversationId,
    pub message_id: MessageId,
    pub reply_message_id: MessageId,
    pub generation_id: GenerationId,
    /// What it follows; the leaf when absent.
    pub parent_message_id: Option<MessageId>,
    pub attachment_ids: Vec<AttachmentId>,
    pub content: MessageContent,
    pub provider: ProviderId,
    pub model: ModelId,
    pub params: Params,
    pub system_prompt: Option<SystemPrompt>,
    pub key_source: KeySource,
    pub on_busy: OnBusy,
}

/// What posting leads to: all of it goes into one append.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// The conversation's events.
    pub events: Vec<ConversationEvent>,
    /// The reply that is requested now.
    pub generation: Option<NewGeneration>,
    /// The running reply that must be cancelled.
    pub cancel: Option<GenerationId>,
    /// How many messages wait now, this one included; `None` when it was posted at once.
    pub queued: Option<usize>,
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
    /// A reply is being made and the sender does not want to wait.
    #[error("a reply is being made in this conversation")]
    Busy,
    /// Too many messages wait.
    #[error("{} messages wait in this conversation already", Queue::MAX)]
    QueueFull,
}

impl Conversation {
    /// The user says something. A conversation that does not exist yet is started; the caller has made its id.
    ///
    /// # Errors
    /// See [`PostRejection`].
    pub fn post(&self, actor: UserId, command: PostMessage) -> Result<Post, PostRejection> {
        if !self.is_new() {
            self.check_owner(actor)?;
        }
        let parent = command.parent_message_id.or(self.messages().leaf());
        if parent.is_some_and(|parent| self.messages().role(parent).is_none()) {
            return Err(PostRejection::UnknownParent);
        }
        match (self.running(), command.on_busy) {
            (None, OnBusy::Queue | OnBusy::Replace | OnBusy::Reject) => Ok(self.post_now(parent, command)),
            (Some(_), OnBusy::Reject) => Err(PostRejection::Busy),
            (Some(_), OnBusy::Queue) => self.post_later(command, None),
            (Some(running), OnBusy::Replace) => self.post_later(command, Some(running.generation_id)),
        }
    }

    fn post_now(&self, parent: Option<MessageId>, command: PostMessage) -> Post {
        let mut events = Vec::with_capacity(4);
        let title = self.is_new().then(|| Title::provisional(&command.content.text));
        if self.is_new() {
            events.push(ConversationEvent::ConversationStarted(ConversationStarted {}));
        }
        events.push(ConversationEvent::UserMessagePosted(UserMessagePosted {
            message_id: command.message_id,
            parent_message_id: parent,
            attachment_ids: command.attachment_ids,
            edited_from: None,
            content: command.content.into(),
        }));
        let reply = ReplyRequested {
            generation_id: command.generation_id,
            message_id: command.reply_message_id,
            parent_message_id: command.message_id,
        };
        events.push(ConversationEvent::ReplyRequested(reply));
        events.extend(title.map(|title| title_set(TitleSource::Provisional, title)));
        let generation = NewGeneration::chat(
            command.conversation_id,
            reply,
            command.provider,
            command.model,
            command.params,
            command.key_source,
            RequestContent { system_prompt: command.system_prompt },
        );
        Post { events, generation: Some(generation), cancel: None, queued: None }
    }

    fn post_later(&self, command: PostMessage, cancel: Option<GenerationId>) -> Result<Post, PostRejection> {
        let waiting = self.queued().len();
        if waiting >= Queue::MAX {
            return Err(PostRejection::QueueFull);
        }
        let queued = UserMessageQueued {
            message_id: command.message_id,
            parent_message_id: command.parent_message_id,
            attachment_ids: command.attachment_ids,
            provider: command.provider,
            model: command.model,
            params: command.params,
            generation_id: command.generation_id,
            reply_message_id: command.reply_message_id,
            at_head: cancel.is_some(),
            content: QueuedContent { message: command.content, system_prompt: command.system_prompt }.into(),
        };
        let events = vec![ConversationEvent::UserMessageQueued(queued)];
        Ok(Post { events, generation: None, cancel, queued: Some(waiting + 1) })
    }
}
