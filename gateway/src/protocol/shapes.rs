//! The shape of what clients send, for schemas and typed clients. Parses nothing: that is `client`'s, which takes more than
//! this says (unknown fields, `null` for absent, numbers as text in `metadata`); golden frames hold the two together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use slipstream_domain::{AttachmentId, ConversationId, Epoch, GenerationId, MessageId, Origin, Rating, Seq};

/// A frame to the server.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub enum ClientFrameShape {
    #[serde(rename = "ai_chat_request")]
    Chat(Box<AiChatRequest>),
    #[serde(rename = "ai_chat_cancel")]
    Cancel(AiChatCancel),
    #[serde(rename = "ai_chat_edit")]
    Edit(AiChatEdit),
    #[serde(rename = "ai_chat_regenerate")]
    Regenerate(AiChatRegenerate),
    #[serde(rename = "conversation_choose_leaf")]
    ChooseLeaf(OnMessage),
    #[serde(rename = "message_rate")]
    Rate(MessageRate),
    #[serde(rename = "typing")]
    Typing(InConversation),
    #[serde(rename = "ping")]
    Ping(NoFields),
    #[serde(rename = "subscribe")]
    Subscribe(Subscribe),
    #[serde(rename = "unsubscribe")]
    Unsubscribe(InConversation),
    #[serde(rename = "asset_attached")]
    AssetAttached(AssetBegin),
    #[serde(rename = "asset_paste")]
    AssetPaste(AssetBegin),
    #[serde(rename = "asset_upload_prepare")]
    AssetUploadPrepare(AssetBegin),
    #[serde(rename = "asset_upload_progress")]
    AssetUploadProgress(AssetProgress),
    #[serde(rename = "asset_upload_complete")]
    AssetUploadComplete(AssetReport),
    #[serde(rename = "asset_upload_complete_error")]
    AssetUploadCompleteError(AssetReport),
    #[serde(rename = "asset_upload_abort")]
    AssetUploadAbort(AssetAbort),
    #[serde(rename = "asset_upload_request")]
    AssetUploadRequest(AssetInline),
    #[serde(rename = "asset_fetch_request")]
    AssetFetchRequest(AssetFetch),
    #[serde(rename = "asset_batch_upload")]
    AssetBatchUpload(AssetBatch),
    #[serde(rename = "asset_deleted")]
    AssetDeleted(AssetReport),
    #[serde(rename = "image_gen_request")]
    ImageGenRequest(ImageGenRequest),
}

/// Asks for a reply. What it leaves out, the conversation's settings say.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AiChatRequest {
    /// `new-chat`, or the id of one of the user's conversations.
    pub conversation_id: String,
    /// At most `limits.maxPromptBytes` bytes of UTF-8.
    pub prompt: String,
    /// A provider's id such as `openai`.
    pub provider: String,
    /// The provider's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    #[schemars(range(min = 0.0, max = 2.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[schemars(range(min = 1, max = 10_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Where the user is, as the client knows it: a text or a number each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The uploads that belong to the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    #[serde(flatten)]
    pub named: Named,
    /// v1 only: what the message follows; the conversation's leaf when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_message_id: Option<MessageId>,
    /// v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_thinking: Option<bool>,
    /// v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_web_search: Option<bool>,
}

/// What v1 clients may say of everything that asks for a reply.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// v1 only: the client's own name of the wish; the same name is accepted once in seven days, and acknowledged as often as
    /// it comes.
    #[schemars(length(min = 1, max = 128))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
    /// v1 only: what to do while another reply is being made. Default: `queue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_busy: Option<OnBusy>,
}

/// What to do while another reply is being made.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub enum OnBusy {
    Queue,
    Replace,
    Reject,
}

/// Where a user is.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lng: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// Stops one reply, what is being made in a conversation, or with neither everything of the user.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AiChatCancel {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<GenerationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
}

/// v1 only: which message a frame is about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct OnMessage {
    pub message_id: MessageId,
    /// Looked up when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
}

/// v1 only: says something else instead of a message; the one before stays, beside it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AiChatEdit {
    #[serde(flatten)]
    pub on: OnMessage,
    pub prompt: String,
    #[serde(flatten)]
    pub named: Named,
}

/// v1 only: wants another reply beside one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AiChatRegenerate {
    #[serde(flatten)]
    pub on: OnMessage,
    /// As before when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// As before, or the given provider's default, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(flatten)]
    pub named: Named,
}

/// v1 only: what the user thinks of a reply.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct MessageRate {
    #[serde(flatten)]
    pub on: OnMessage,
    pub rating: Rating,
}

/// Which conversation a frame is about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct InConversation {
    pub conversation_id: ConversationId,
}

/// No more than the type.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NoFields {}

/// v1 only: follows a conversation from where the client stands; also how it resumes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscribe {
    /// Which.
    pub conversation_id: ConversationId,
    /// The version that the client has; absent: events from now on.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The replies that the client has something of, each once.
    #[schemars(length(max = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<Vec<Standing>>,
}

/// What a client has of a reply: everything up to `seq`, as `epoch` has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct Standing {
    pub generation_id: GenerationId,
    pub epoch: Epoch,
    pub seq: Seq,
}

/// Which file a frame is about, in the client's words.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetNames {
    /// `new-chat` and stray words are none: a file needs no conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    #[schemars(length(max = 128))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<String>,
    #[schemars(length(max = 128))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
}

/// A file is to be uploaded; answered by `asset_upload_instructions`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetBegin {
    #[serde(flatten)]
    pub names: AssetNames,
    pub filename: String,
    /// A media type such as `image/png`.
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// One of `UPLOAD`, `PASTED`, `SCREENSHOT`, `IMPORTED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// How far an upload is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetProgress {
    #[serde(flatten)]
    pub names: AssetNames,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<AttachmentId>,
    #[schemars(range(min = 0.0, max = 100.0))]
    pub progress: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_uploaded: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
}

/// An upload has ended, or a file is to be deleted. What else a client says of it is not read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetReport {
    #[serde(flatten)]
    pub names: AssetNames,
    pub attachment_id: AttachmentId,
}

/// An upload will not be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetAbort {
    #[serde(flatten)]
    pub report: AssetReport,
    /// `user`, `network`, `server`, `timeout` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A whole file in a frame.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetInline {
    #[serde(flatten)]
    pub names: AssetNames,
    pub filename: String,
    /// A media type such as `image/png`.
    pub content_type: String,
    /// The bytes, with or without `data:…;base64,` before them.
    pub base64: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// A file is to be fetched from elsewhere.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetFetch {
    #[serde(flatten)]
    pub names: AssetNames,
    pub source_url: String,
}

/// How far the files of a batch are is asked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetBatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    pub batch_id: String,
}

/// Asks for a picture.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageGenRequest {
    /// `new-chat`, or the id of one of the user's conversations.
    pub conversation_id: String,
    /// What is to be seen.
    pub prompt: String,
    /// The id of a model that makes pictures.
    pub model: String,
    /// Pixels; with `height` or not at all.
    #[schemars(range(min = 1, max = 16_384))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels; with `width` or not at all.
    #[schemars(range(min = 1, max = 16_384))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// v1 only: the client's own name of the wish.
    #[schemars(length(min = 1, max = 128))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<String>,
}

/// The JSON Schema (draft 2020-12) of everything that clients send, and of everything that they get.
#[must_use]
pub fn frame_schemas() -> BTreeMap<&'static str, schemars::Schema> {
    let generator = || schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    BTreeMap::from([
        ("ClientFrame", generator().into_root_schema_for::<ClientFrameShape>()),
        ("ServerFrame", generator().into_root_schema_for::<super::ServerFrame>()),
    ])
}
