//! What only clients of `slipstream.v1` get: places of output, ends with a proof, answers to commands, the conversation's
//! events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slipstream_domain::event::{AnsweredBy, WithdrawReason};
use slipstream_domain::{
    Citation, ConversationId, Cost, Epoch, FinishReason, GenerationId, MessageId, ModelId, Params, Part,
    ProviderId, Rating, Seq, TerminalStatus, TitleSource, TokenUsage, UserId,
};
use uuid::Uuid;

/// Where a piece of output stands in its reply: it covers `seq - count + 1` to `seq` of `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceInReply {
    /// Of which attempt.
    pub generation_id: GenerationId,
    /// The reply's message.
    pub message_id: MessageId,
    /// Its owner's epoch.
    pub epoch: Epoch,
    /// The last number it covers.
    pub seq: Seq,
    /// How many numbers it covers.
    pub count: u64,
    /// Bytes (UTF-8) of its part before it.
    pub offset: u64,
    /// The part that the offset counts in.
    pub part: Part,
}

/// How a reply ended, with what proves its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndOfReply {
    /// Of which attempt.
    pub generation_id: GenerationId,
    /// The reply's message.
    pub message_id: MessageId,
    /// The last owner's epoch.
    pub epoch: Epoch,
    /// The last delta's number; 0 when there was none.
    pub final_seq: Seq,
    /// How.
    pub status: TerminalStatus,
    /// Why the model stopped, when it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    /// Tokens, all attempts summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_usage: Option<TokenUsage>,
    /// What they cost; absent when a price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Who answered, when it was not the model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweredBy>,
    /// Sources the model named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// The conversation's version with this reply in it.
    pub version: i64,
    /// SHA-256 of the whole text part, in hex; absent when it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The first frame of every socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionEstablished {
    /// Names the connection.
    pub connection_id: Uuid,
    /// Who is signed in.
    pub user_id: UserId,
    /// The protocol spoken: `slipstream.v1`.
    pub protocol: String,
    /// Epoch milliseconds.
    pub server_time: i64,
    /// How often the server pings, in milliseconds.
    pub heartbeat_ms: u64,
    /// For how long a message that was not acknowledged may be sent again under the same name, in milliseconds. Streams
    /// can be resumed at any time.
    pub resume_window_ms: u64,
    /// What a client may do.
    pub limits: Limits,
    /// Whose key pays.
    pub providers: Providers,
}

/// What a client may do on one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of one frame.
    pub max_frame_bytes: usize,
    /// Bytes of a prompt.
    pub max_prompt_bytes: usize,
    /// Replies under way at once.
    pub max_in_flight: u32,
    /// Conversations subscribed to at once.
    pub max_conversations: usize,
}

/// Whose key pays when the user asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Providers {
    /// Whether the user has a key of their own.
    pub is_set: bool,
    /// Whether the operator's key is used.
    pub is_default: bool,
}

/// A command is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The client's own name of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
    /// Where.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The attempt at its reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<GenerationId>,
    /// How many messages wait, this one included; absent when nothing waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<usize>,
    /// The conversation's version with the command in it.
    pub version: i64,
}

/// How a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResumeMode {
    /// Missing frames follow.
    Replay,
    /// Accepted, nothing is produced yet.
    Pending,
    /// It is over: missing frames and the terminal frame follow.
    Final,
    /// Deleted, erased, or never there.
    Gone,
    /// What the client has of it does not hold: cut each part at `offset`, go on from `seq` in `epoch`.
    Reset,
}

impl ResumeMode {
    /// The word on the wire and in the metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Pending => "pending",
            Self::Final => "final",
            Self::Gone => "gone",
            Self::Reset => "reset",
        }
    }
}

/// Bytes of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct Offsets {
    pub text: u64,
    pub thinking: u64,
}

/// Where a client stands in a stream before the next frame of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct StreamResumed {
    pub conversation_id: ConversationId,
    pub generation_id: GenerationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    pub mode: ResumeMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offsets>,
    pub resumed_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// An event of a conversation as a frame. `version` is the conversation's with this event in it, gapless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfConversation<T> {
    /// Where.
    pub conversation_id: ConversationId,
    /// The version that the event makes; absent where it is news of the list of conversations: whoever does not follow the
    /// conversation is not told all of its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// What happened.
    #[serde(flatten)]
    pub what: T,
}

/// Nothing more to say of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nothing {}

/// The user said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct MessagePosted {
    pub message_id: MessageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    /// The message it is another version of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<MessageId>,
    /// The attempt that answers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<GenerationId>,
    /// The reply's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_message_id: Option<MessageId>,
    /// Absent when it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The user said something while a reply was being made; it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct MessageQueued {
    pub message_id: MessageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    /// The message it is another version of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<MessageId>,
    /// The attempt that will answer it.
    pub generation_id: GenerationId,
    /// The reply's message.
    pub reply_message_id: MessageId,
    pub provider: ProviderId,
    pub model: ModelId,
    /// Whether it goes before what waits already.
    pub at_head: bool,
    /// Absent when it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Another reply to a message was wanted while one was being made; it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct ReplyQueued {
    pub message_id: MessageId,
    pub parent_message_id: MessageId,
    /// The attempt that will make it.
    pub generation_id: GenerationId,
    pub provider: ProviderId,
    pub model: ModelId,
    /// Whether it goes before what waits already.
    pub at_head: bool,
}

/// The conversation is shown at this message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct LeafChosen {
    pub message_id: MessageId,
}

/// The user thinks this of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct MessageRated {
    pub message_id: MessageId,
    pub rating: Rating,
}

/// What waited will not be sent; for a reply that was to be made again, the reply's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct MessageWithdrawn {
    pub message_id: MessageId,
    pub reason: WithdrawReason,
}

/// A reply is being made: its stream follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct ReplyRequested {
    pub generation_id: GenerationId,
    pub message_id: MessageId,
    pub parent_message_id: MessageId,
}

/// A reply is over; its terminal frame came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct ReplyRecorded {
    pub generation_id: GenerationId,
    pub message_id: MessageId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    pub status: TerminalStatus,
    pub final_seq: Seq,
}

/// The conversation has this title now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct TitleUpdated {
    /// Absent when it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub source: TitleSource,
}

/// This holds for the conversation's requests now, whole: what is absent is not set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsUpdated {
    /// The parameters.
    #[serde(flatten)]
    pub params: Params,
    /// The instructions; absent, too, when they were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
}

#[cfg(test)]
mod tests;
