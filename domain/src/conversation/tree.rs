//! The tree of messages and its leaf. Knows who follows whom and which attempt made a reply; not what anybody said.

use std::collections::HashMap;

use super::NoSuchConversation;
use crate::event::{ReplyRequested, UserMessagePosted};
use crate::ids::{AttachmentId, GenerationId, MessageId};
use crate::values::{Rating, Role};

/// Messages by their parents, and the one the conversation is shown at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageTree {
    nodes: HashMap<MessageId, Node>,
    leaf: Option<MessageId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Said(Said),
    Reply(ReplyNode),
}

/// A message of the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it follows; `None` for a first message.
    pub parent: Option<MessageId>,
    /// Its files.
    pub attachment_ids: Vec<AttachmentId>,
    /// The newest attempt at a reply to it.
    pub asked: Option<GenerationId>,
}

/// A reply, made or being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyNode {
    /// The user message it answers.
    pub answers: MessageId,
    /// The attempt that made it.
    pub generation: GenerationId,
    /// What the user thinks of it.
    pub rating: Rating,
}

/// Why a message cannot be what a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageRejection {
    /// There is no such conversation for this user.
    #[error(transparent)]
    NoSuchConversation(#[from] NoSuchConversation),
    /// It is not a message of this conversation, or it still waits to be posted.
    #[error("messageId is not a message of this conversation")]
    NoSuchMessage,
    /// Only what the user said can be edited.
    #[error("messageId is a reply; what can be edited is what you said")]
    NotYours,
    /// Only a reply can be made again or rated.
    #[error("messageId is not a reply")]
    NotAReply,
}

impl MessageTree {
    /// The message the next one follows unless another is named.
    #[must_use]
    pub fn leaf(&self) -> Option<MessageId> {
        self.leaf
    }

    /// Who wrote a message; `None` for one that is not here.
    #[must_use]
    pub fn role(&self, id: MessageId) -> Option<Role> {
        self.nodes.get(&id).map(|node| match node {
            Node::Said(_) => Role::User,
            Node::Reply(_) => Role::Assistant,
        })
    }

    /// What a message follows.
    #[must_use]
    pub fn parent(&self, id: MessageId) -> Option<MessageId> {
        self.nodes.get(&id).and_then(|node| match node {
            Node::Said(said) => said.parent,
            Node::Reply(reply) => Some(reply.answers),
        })
    }

    /// A message of the user's.
    ///
    /// # Errors
    /// `NoSuchMessage`, `NotYours`.
    pub fn said(&self, id: MessageId) -> Result<&Said, MessageRejection> {
        match self.nodes.get(&id).ok_or(MessageRejection::NoSuchMessage)? {
            Node::Said(said) => Ok(said),
            Node::Reply(_) => Err(MessageRejection::NotYours),
        }
    }

    /// A reply.
    ///
    /// # Errors
    /// `NoSuchMessage`, `NotAReply`.
    pub fn reply(&self, id: MessageId) -> Result<&ReplyNode, MessageRejection> {
        match self.nodes.get(&id).ok_or(MessageRejection::NoSuchMessage)? {
            Node::Reply(reply) => Ok(reply),
            Node::Said(_) => Err(MessageRejection::NotAReply),
        }
    }

    /// The leaf once the reply being made, `running`, is recorded: the reply, unless the leaf has moved away from the
    /// message it answers.
    pub(super) fn leaf_after(&self, running: &ReplyRequested) -> Option<MessageId> {
        let still_there = self.leaf == Some(running.parent_message_id);
        if still_there { Some(running.message_id) } else { self.leaf }
    }

    pub(super) fn insert_said(&mut self, posted: &UserMessagePosted) {
        let attachment_ids = posted.attachment_ids.clone();
        let said = Said { parent: posted.parent_message_id, attachment_ids, asked: None };
        self.nodes.insert(posted.message_id, Node::Said(said));
        self.leaf = Some(posted.message_id);
    }

    pub(super) fn insert_reply(&mut self, requested: &ReplyRequested) {
        let (answers, generation) = (requested.parent_message_id, requested.generation_id);
        if let Some(Node::Said(said)) = self.nodes.get_mut(&answers) {
            said.asked = Some(generation);
        }
        let reply = ReplyNode { answers, generation, rating: Rating::None };
        self.nodes.insert(requested.message_id, Node::Reply(reply));
    }

    pub(super) fn set_leaf(&mut self, leaf: Option<MessageId>) {
        self.leaf = leaf;
    }

    pub(super) fn rate(&mut self, id: MessageId, rating: Rating) {
        if let Some(Node::Reply(reply)) = self.nodes.get_mut(&id) {
            reply.rating = rating;
        }
    }
}
