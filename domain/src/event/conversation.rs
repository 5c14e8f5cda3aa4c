//! Events of a conversation's stream.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::events;
use super::generation::RequestContent;
use crate::ids::{AttachmentId, GenerationId, MessageId};
use crate::sealed::Sealed;
use crate::values::{
    Cost, GenerationKind, ModelId, Params, Prompt, ProviderId, Rating, RequestMetadata, Seq, SystemPrompt,
    TerminalStatus, Title, TitleSource, TokenUsage,
};

events! {
    /// What happens in a conversation.
    ConversationEvent {
        /// It exists; its owner is the envelope's.
        ConversationStarted(ConversationStarted) 1;
        /// The user said something.
        UserMessagePosted(UserMessagePosted) 1 sealed content;
        /// A reply is being made; in one append with its `GenerationRequested`. Ends with `ReplyRecorded`.
        ReplyRequested(ReplyRequested) 1;
        /// The user said something while a reply was being made; it waits.
        UserMessageQueued(UserMessageQueued) 3 sealed content;
        /// The user wanted another reply to a message while one was being made; it waits.
        ReplyQueued(ReplyQueued) 2 sealed content;
        /// What waited will not be sent.
        QueuedMessageWithdrawn(QueuedMessageWithdrawn) 2;
        /// The reply has ended, however it did.
        ReplyRecorded(ReplyRecorded) 1;
        /// The conversation is shown at this message now.
        LeafChosen(LeafChosen) 1;
        /// The user thinks this of a reply.
        MessageRated(MessageRated) 1;
        /// The conversation has this title now.
        TitleSet(TitleSet) 1 sealed content;
        /// This holds for the conversation's requests now.
        ConversationSettingsChanged(ConversationSettingsChanged) 1 sealed content;
        /// The conversation is gone for its owner.
        ConversationDeleted(ConversationDeleted) 1;
    }
}

/// The conversation exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationStarted {}

/// The user said something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserMessagePosted {
    /// The message.
    pub message_id: MessageId,
    /// What it follows; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    /// Its files.
    pub attachment_ids: Vec<AttachmentId>,
    /// The message it is another version of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<MessageId>,
    /// What was said.
    #[serde(skip)]
    pub content: Sealed<MessageContent>,
}

/// What a user said, and from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageContent {
    /// The prompt.
    pub text: Prompt,
    /// What the client said of the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<RequestMetadata>,
}

/// A reply is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyRequested {
    /// The attempt that makes it.
    pub generation_id: GenerationId,
    /// The reply's message, named now.
    pub message_id: MessageId,
    /// The user message it answers.
    pub parent_message_id: MessageId,
}

/// The user said something while a reply was being made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserMessageQueued {
    /// The message.
    pub message_id: MessageId,
    /// What it follows, when its sender said so; otherwise nothing for an edit, and the reply that ends before it is
    /// sent for any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    /// The message it is another version of (since version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<MessageId>,
    /// Its files.
    pub attachment_ids: Vec<AttachmentId>,
    /// Whom it asks.
    pub provider: ProviderId,
    /// Which model.
    pub model: ModelId,
    /// What is to be made (since version 3).
    #[serde(default, skip_serializing_if = "GenerationKind::is_chat")]
    pub kind: GenerationKind,
    /// With which parameters of its own; what else holds is decided when it is sent.
    pub params: Params,
    /// The attempt that will answer it.
    pub generation_id: GenerationId,
    /// The reply's message.
    pub reply_message_id: MessageId,
    /// Whether it goes before what waits already (it replaces the running reply).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_head: bool,
    /// What was said.
    #[serde(skip)]
    pub content: Sealed<QueuedContent>,
}

/// What a waiting message says, and under which instructions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueuedContent {
    /// The message.
    #[serde(flatten)]
    pub message: MessageContent,
    /// Standing instructions of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<SystemPrompt>,
}

/// Another reply to a message was wanted while one was being made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyQueued {
    /// The reply's message.
    pub message_id: MessageId,
    /// The user message it will answer.
    pub parent_message_id: MessageId,
    /// The attempt that will make it.
    pub generation_id: GenerationId,
    /// Whom it asks.
    pub provider: ProviderId,
    /// Which model.
    pub model: ModelId,
    /// What is to be made (since version 2).
    #[serde(default, skip_serializing_if = "GenerationKind::is_chat")]
    pub kind: GenerationKind,
    /// With which parameters of its own; what else holds is decided when it is sent.
    pub params: Params,
    /// Whether it goes before what waits already (it replaces the running reply).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_head: bool,
    /// Under which instructions of its own.
    #[serde(skip)]
    pub content: Sealed<RequestContent>,
}

/// Why a waiting message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawReason {
    /// The user cancelled it.
    Cancelled,
    /// The conversation was deleted.
    Deleted,
    /// Its text was erased.
    Erased,
    /// Its turn came when no message on the operator's key was left to its user (since version 2).
    FreeLimit,
}

/// What waited will not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueuedMessageWithdrawn {
    /// The message; the reply's for a reply that was to be made again.
    pub message_id: MessageId,
    /// Why.
    pub reason: WithdrawReason,
}

/// The reply has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplyRecorded {
    /// The reply's message.
    pub message_id: MessageId,
    /// The user message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    /// The attempt.
    pub generation_id: GenerationId,
    /// How it ended.
    pub status: TerminalStatus,
    /// The last delta's number.
    pub final_seq: Seq,
}

/// The conversation is shown at this message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeafChosen {
    /// The message.
    pub message_id: MessageId,
}

/// The user thinks this of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageRated {
    /// The reply.
    pub message_id: MessageId,
    /// What; it replaces what was thought before.
    pub rating: Rating,
}

/// The conversation has this title now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TitleSet {
    /// Where it came from.
    pub source: TitleSource,
    /// Tokens it took, when a model made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
    /// What they cost; absent when a price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// The title.
    #[serde(skip)]
    pub content: Sealed<TitleContent>,
}

/// A title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TitleContent {
    /// The title.
    pub title: Title,
}

/// What holds for the conversation's requests from now on, whole: absent means unset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationSettingsChanged {
    /// The parameters.
    #[serde(flatten)]
    pub params: Params,
    /// The instructions.
    #[serde(skip)]
    pub content: Sealed<RequestContent>,
}

/// The conversation is gone for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationDeleted {}
