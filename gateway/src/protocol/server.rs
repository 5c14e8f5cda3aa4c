//! What clients get.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slipstream_domain::event::SettingsChanged;
use slipstream_domain::{AttachmentId, ConversationId, GenerationId, MessageId, ProviderId, UserId};
use uuid::Uuid;

use super::ErrorCode;
use super::asset::{
    AssetError, AssetHead, BatchUpload, ReadyAsset, UploadAborted, UploadInstructions, UploadProgress,
};
use super::inline_data::InlineData;
use super::v1::{
    Ack, ConnectionEstablished, EndOfReply, LeafChosen, MessagePosted, MessageQueued, MessageRated,
    MessageWithdrawn, Nothing, OfConversation, PlaceInReply, ReplyQueued, ReplyRecorded, ReplyRequested,
    SettingsUpdated, StreamResumed, TitleUpdated,
};

/// A frame to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub enum ServerFrame {
    #[serde(rename = "ai_chat_chunk")]
    ChatChunk(ChatChunk),
    #[serde(rename = "ai_chat_inline_data")]
    ChatInlineData(InlineData),
    #[serde(rename = "ai_chat_response")]
    ChatResponse(ChatResponse),
    #[serde(rename = "ai_chat_error")]
    ChatError(ChatError),
    #[serde(rename = "pong", rename_all = "camelCase")]
    Pong { user_id: UserId },
    #[serde(rename = "typing", rename_all = "camelCase")]
    Typing { conversation_id: ConversationId, user_id: UserId },
    #[serde(rename = "error")]
    Error(ErrorFrame),
    #[serde(rename = "asset_upload_instructions")]
    AssetUploadInstructions(Box<UploadInstructions>),
    #[serde(rename = "asset_ready")]
    AssetReady(Box<ReadyAsset>),
    #[serde(rename = "asset_upload_response")]
    AssetUploadResponse(Box<ReadyAsset>),
    #[serde(rename = "asset_uploaded")]
    AssetUploaded(Box<ReadyAsset>),
    #[serde(rename = "asset_fetch_response")]
    AssetFetchResponse(Box<ReadyAsset>),
    #[serde(rename = "asset_upload_progress")]
    AssetUploadProgress(UploadProgress),
    #[serde(rename = "asset_upload_aborted")]
    AssetUploadAborted(UploadAborted),
    #[serde(rename = "asset_batch_upload")]
    AssetBatchUpload(BatchUpload),
    #[serde(rename = "asset_deleted")]
    AssetDeleted(AssetHead),
    #[serde(rename = "asset_upload_error")]
    AssetUploadError(AssetError),
    #[serde(rename = "asset_upload_complete_error")]
    AssetUploadCompleteError(AssetError),
    #[serde(rename = "asset_fetch_error")]
    AssetFetchError(AssetError),
    #[serde(rename = "image_gen_progress")]
    PictureProgress(PictureProgress),
    #[serde(rename = "image_gen_response")]
    PictureMade(PictureMade),
    #[serde(rename = "image_gen_error")]
    PictureError(PictureError),
    #[serde(rename = "connection_established")]
    ConnectionEstablished(ConnectionEstablished),
    #[serde(rename = "ack")]
    Ack(Ack),
    #[serde(rename = "stream:resumed")]
    StreamResumed(StreamResumed),
    #[serde(rename = "caught_up")]
    CaughtUp(OfConversation<Nothing>),
    #[serde(rename = "message:posted")]
    MessagePosted(OfConversation<MessagePosted>),
    #[serde(rename = "message:queued")]
    MessageQueued(OfConversation<MessageQueued>),
    #[serde(rename = "message:withdrawn")]
    MessageWithdrawn(OfConversation<MessageWithdrawn>),
    #[serde(rename = "reply:queued")]
    ReplyQueued(OfConversation<ReplyQueued>),
    #[serde(rename = "message:rated")]
    MessageRated(OfConversation<MessageRated>),
    #[serde(rename = "conversation:leaf_chosen")]
    LeafChosen(OfConversation<LeafChosen>),
    #[serde(rename = "reply:requested")]
    ReplyRequested(OfConversation<ReplyRequested>),
    #[serde(rename = "reply:recorded")]
    ReplyRecorded(OfConversation<ReplyRecorded>),
    #[serde(rename = "conversation:created")]
    ConversationCreated(OfConversation<Nothing>),
    #[serde(rename = "conversation:title_updated")]
    TitleUpdated(OfConversation<TitleUpdated>),
    #[serde(rename = "conversation:settings_updated")]
    SettingsUpdated(OfConversation<SettingsUpdated>),
    #[serde(rename = "conversation:deleted")]
    ConversationDeleted(OfConversation<Nothing>),
    #[serde(rename = "user:settings_updated", rename_all = "camelCase")]
    UserSettingsUpdated { user_id: UserId, settings: SettingsChanged },
    #[serde(rename = "user:api_key_updated", rename_all = "camelCase")]
    ApiKeyUpdated { user_id: UserId, provider: ProviderId, is_set: bool },
}

/// What every chat frame says of its reply. A refused request has no more than the client gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct ChatHead {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    pub user_id: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
}

/// A piece of a reply: of its text, or of the thinking before it, never both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatChunk {
    /// Of which reply.
    #[serde(flatten)]
    pub head: Arc<ChatHead>,
    /// Always false.
    pub done: bool,
    /// The conversation's title, on the first chunk of a new chat only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The standing instructions, on the first chunk of a new chat only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Text to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<String>,
    /// Whether this piece is thinking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_thinking: Option<bool>,
    /// Thinking to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_text: Option<String>,
    /// How long the model has thought, in milliseconds: so far, or in all once text comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_duration: Option<u64>,
    /// Where it stands; v1 only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceInReply>,
}

/// The end of a reply that has a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatResponse {
    /// Of which reply.
    #[serde(flatten)]
    pub head: Arc<ChatHead>,
    /// The full text.
    pub chunk: String,
    /// All thinking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_text: Option<String>,
    /// How long the model thought, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_duration: Option<u64>,
    /// Tokens in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// Always true.
    pub done: bool,
    /// How it ended; v1 only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndOfReply>,
}

/// The end of a reply that failed or has no text, or a refused request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatError {
    /// Of which reply or request.
    #[serde(flatten)]
    pub head: Arc<ChatHead>,
    /// What a person should know.
    pub message: String,
    /// The reply's status, or the code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Tokens in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<u64>,
    /// Always true.
    pub done: bool,
    /// How it ended; v1 only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndOfReply>,
}

/// Why a frame was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorFrame {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// What the operator finds in the log.
    pub request_id: Uuid,
    /// When it may be worth trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// How far a picture is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureProgress {
    /// Where.
    pub conversation_id: ConversationId,
    /// Who asked.
    pub user_id: UserId,
    /// The attempt that makes it; `ai_chat_cancel` takes it as `generationId`.
    pub task_id: GenerationId,
    /// `queued` until a worker has it, then `generating`.
    pub stage: String,
    /// 0 to 100. Vendors do not tell how far they are, so it moves by stages.
    pub progress: u8,
}

/// A picture is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct PictureMade {
    pub conversation_id: ConversationId,
    pub user_id: UserId,
    pub task_id: GenerationId,
    /// The reply that shows it.
    pub message_id: MessageId,
    pub attachment_id: AttachmentId,
    /// Where it can be fetched for a while; absent when this server keeps no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureError {
    /// Where, or what the client gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    /// Who asked.
    pub user_id: UserId,
    /// The attempt; absent when the request was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<GenerationId>,
    /// For people.
    pub error: String,
    /// The code of the refusal, or the attempt's status.
    pub code: String,
    /// When it may be worth trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ServerFrame {
    /// The type's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ChatChunk(_) => "ai_chat_chunk",
            Self::ChatInlineData(_) => "ai_chat_inline_data",
            Self::ChatResponse(_) => "ai_chat_response",
            Self::ChatError(_) => "ai_chat_error",
            Self::Pong { .. } => "pong",
            Self::Typing { .. } => "typing",
            Self::Error(_) => "error",
            Self::AssetUploadInstructions(_) => "asset_upload_instructions",
            Self::AssetReady(_) => "asset_ready",
            Self::AssetUploadResponse(_) => "asset_upload_response",
            Self::AssetUploaded(_) => "asset_uploaded",
            Self::AssetFetchResponse(_) => "asset_fetch_response",
            Self::AssetUploadProgress(_) => "asset_upload_progress",
            Self::AssetUploadAborted(_) => "asset_upload_aborted",
            Self::AssetBatchUpload(_) => "asset_batch_upload",
            Self::AssetDeleted(_) => "asset_deleted",
            Self::AssetUploadError(_) => "asset_upload_error",
            Self::AssetUploadCompleteError(_) => "asset_upload_complete_error",
            Self::AssetFetchError(_) => "asset_fetch_error",
            Self::PictureProgress(_) => "image_gen_progress",
            Self::PictureMade(_) => "image_gen_response",
            Self::PictureError(_) => "image_gen_error",
            Self::ConnectionEstablished(_) => "connection_established",
            Self::Ack(_) => "ack",
            Self::StreamResumed(_) => "stream:resumed",
            Self::CaughtUp(_) => "caught_up",
            Self::MessagePosted(_) => "message:posted",
            Self::MessageQueued(_) => "message:queued",
            Self::MessageWithdrawn(_) => "message:withdrawn",
            Self::ReplyQueued(_) => "reply:queued",
            Self::MessageRated(_) => "message:rated",
            Self::LeafChosen(_) => "conversation:leaf_chosen",
            Self::ReplyRequested(_) => "reply:requested",
            Self::ReplyRecorded(_) => "reply:recorded",
            Self::ConversationCreated(_) => "conversation:created",
            Self::TitleUpdated(_) => "conversation:title_updated",
            Self::SettingsUpdated(_) => "conversation:settings_updated",
            Self::ConversationDeleted(_) => "conversation:deleted",
            Self::UserSettingsUpdated { .. } => "user:settings_updated",
            Self::ApiKeyUpdated { .. } => "user:api_key_updated",
        }
    }
}

impl ChatChunk {
    /// A piece of text.
    #[must_use]
    pub fn text(head: Arc<ChatHead>, text: String, thinking_ms: Option<u64>) -> Self {
        Self {
            head,
            done: false,
            title: None,
            system_prompt: None,
            chunk: Some(text),
            is_thinking: Some(false),
            thinking_text: None,
            thinking_duration: thinking_ms,
            place: None,
        }
    }

    /// A piece of thinking.
    #[must_use]
    pub fn thinking(head: Arc<ChatHead>, text: String, thinking_ms: Option<u64>) -> Self {
        Self {
            chunk: None,
            is_thinking: Some(true),
            thinking_text: Some(text),
            ..Self::text(head, String::new(), thinking_ms)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn head() -> Arc<ChatHead> {
        Arc::new(ChatHead {
            conversation_id: Some("c".into()),
            user_id: UserId::from_uuid(Uuid::from_u128(1)),
            provider: Some("openai".into()),
            model: Some("gpt-5-nano".into()),
            temperature: Some(0.5),
            top_p: None,
        })
    }

    fn golden(frame: &ServerFrame, golden: &Value) {
        assert_eq!(&serde_json::to_value(frame).unwrap(), golden);
        assert_eq!(&serde_json::from_value::<ServerFrame>(golden.clone()).unwrap(), frame);
        assert_eq!(golden["type"], frame.name());
    }

    #[test]
    fn a_text_chunk_has_no_thinking_text_and_says_how_long_the_thinking_took() {
        golden(
            &ServerFrame::ChatChunk(ChatChunk::text(head(), "hi".into(), Some(1200))),
            &json!({
                "type": "ai_chat_chunk", "conversationId": "c", "userId": "00000000-0000-0000-0000-000000000001",
                "provider": "openai", "model": "gpt-5-nano", "temperature": 0.5, "done": false,
                "chunk": "hi", "isThinking": false, "thinkingDuration": 1200,
            }),
        );
    }

    #[test]
    fn a_thinking_chunk_has_no_text() {
        golden(
            &ServerFrame::ChatChunk(ChatChunk::thinking(head(), "hm".into(), None)),
            &json!({
                "type": "ai_chat_chunk", "conversationId": "c", "userId": "00000000-0000-0000-0000-000000000001",
                "provider": "openai", "model": "gpt-5-nano", "temperature": 0.5, "done": false,
                "thinkingText": "hm", "isThinking": true,
            }),
        );
    }

    #[test]
    fn a_picture_is_told_of_from_its_request_to_its_end() {
        let (conversation_id, user_id) =
            (ConversationId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
        let task_id = GenerationId::from_uuid(Uuid::from_u128(2));
        golden(
            &ServerFrame::PictureProgress(PictureProgress {
                conversation_id,
                user_id,
                task_id,
                stage: "queued".into(),
                progress: 0,
            }),
            &json!({
                "type": "image_gen_progress", "conversationId": Uuid::nil(), "userId": Uuid::nil(),
                "taskId": Uuid::from_u128(2), "stage": "queued", "progress": 0,
            }),
        );
        golden(
            &ServerFrame::PictureMade(PictureMade {
                conversation_id,
                user_id,
                task_id,
                message_id: MessageId::from_uuid(Uuid::from_u128(3)),
                attachment_id: AttachmentId::from_uuid(Uuid::from_u128(4)),
                image_url: Some("https://files.example.com/4".into()),
            }),
            &json!({
                "type": "image_gen_response", "conversationId": Uuid::nil(), "userId": Uuid::nil(),
                "taskId": Uuid::from_u128(2), "messageId": Uuid::from_u128(3), "attachmentId": Uuid::from_u128(4),
                "imageUrl": "https://files.example.com/4",
            }),
        );
        golden(
            &ServerFrame::PictureError(PictureError {
                conversation_id: None,
                user_id,
                task_id: None,
                error: "wait".into(),
                code: "rate_limited".into(),
                retry_after_ms: Some(5),
            }),
            &json!({
                "type": "image_gen_error", "userId": Uuid::nil(), "error": "wait", "code": "rate_limited",
                "retryAfterMs": 5,
            }),
        );
    }

    #[test]
    fn ends_say_done_and_absent_fields_are_omitted() {
        golden(
            &ServerFrame::ChatResponse(ChatResponse {
                head: head(),
                chunk: "hi".into(),
                thinking_text: None,
                thinking_duration: None,
                usage: Some(7),
                done: true,
                end: None,
            }),
            &json!({
                "type": "ai_chat_response", "conversationId": "c", "userId": "00000000-0000-0000-0000-000000000001",
                "provider": "openai", "model": "gpt-5-nano", "temperature": 0.5, "chunk": "hi", "usage": 7, "done": true,
            }),
        );
        golden(
            &ServerFrame::Error(ErrorFrame {
                code: ErrorCode::BadFrame,
                message: "m".into(),
                request_id: Uuid::nil(),
                retry_after_ms: None,
            }),
            &json!({"type": "error", "code": "bad_frame", "message": "m", "requestId": Uuid::nil()}),
        );
        golden(
            &ServerFrame::Pong { user_id: UserId::from_uuid(Uuid::nil()) },
            &json!({"type": "pong", "userId": Uuid::nil()}),
        );
    }
}
