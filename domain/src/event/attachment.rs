//! Events of an attachment's stream: one file, from its announcement to its end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::events;
use crate::ids::{ConversationId, MessageId};
use crate::sealed::Sealed;
use crate::values::{BatchId, DraftId, FileName, ImageDetails, MediaType, Origin, ProviderId, Timestamp};

events! {
    /// What happens to a file.
    AttachmentEvent {
        /// Somebody wants to store a file.
        AttachmentRequested(AttachmentRequested) 1 sealed content;
        /// Its bytes are on their way.
        UploadStarted(UploadStarted) 1;
        /// It is stored and has been checked.
        AttachmentReady(AttachmentReady) 1 sealed content;
        /// It will never be ready.
        AttachmentFailed(AttachmentFailed) 1;
        /// It belongs to a message now; in one append with that.
        AttachmentLinked(AttachmentLinked) 1;
        /// A vendor keeps it for a while.
        ProviderFileUploaded(ProviderFileUploaded) 1;
        /// It is gone for its owner.
        AttachmentDeleted(AttachmentDeleted) 1;
        /// Its bytes are gone for everybody.
        AttachmentPurged(AttachmentPurged) 1;
    }
}

/// Somebody wants to store a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentRequested {
    /// Where its client was; no promise that it is there, or theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Its client's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<DraftId>,
    /// Its client's name for it and those beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<BatchId>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is said to be.
    pub mime: MediaType,
    /// How many bytes it is said to have; absent when nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The bucket it goes to.
    pub bucket: String,
    /// What it is called, and what follows from that.
    #[serde(skip)]
    pub content: Sealed<AttachmentContent>,
}

/// The personal half of a file's announcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentContent {
    /// What it is called.
    pub filename: FileName,
    /// Its key in the bucket, which has its name in it.
    pub key: String,
    /// Where it is fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
}

/// Its bytes are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UploadStarted {}

/// It is stored and has been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentReady {
    /// The version that was checked; absent when the store keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The store's entity tag.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub mime: MediaType,
    /// The store's own digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The store's class of storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// What is seen in a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDetails>,
    /// How many pages a document has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// What stands in it.
    #[serde(skip)]
    pub content: Sealed<ReadyContent>,
}

/// The personal half of what was found in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadyContent {
    /// The beginning of its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_preview: Option<String>,
}

/// Why a file will never be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// There are more or fewer bytes than was said.
    SizeMismatch,
    /// It was stored as something else than was said.
    TypeMismatch,
    /// Its bytes are not what they are said to be.
    ContentMismatch,
    /// It is a picture that cannot be read, or of too many pixels.
    UnreadableImage,
    /// Its client gave it up.
    Aborted,
    /// Its client could not upload it.
    ClientError,
    /// It could not be fetched.
    FetchFailed,
    /// It never came.
    Expired,
}

/// It will never be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttachmentFailed {
    /// Why.
    pub reason: FailReason,
}

/// It belongs to a message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentLinked {
    /// Which message.
    pub message_id: MessageId,
    /// Of which conversation.
    pub conversation_id: ConversationId,
}

/// A vendor keeps it for a while, so that it need not be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderFileUploaded {
    /// Which vendor.
    pub provider: ProviderId,
    /// Of the key that it was given with, and that alone may use it; see [`key_fingerprint`](crate::values::key_fingerprint).
    pub key_fingerprint: String,
    /// What the vendor calls it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Until when it may be named in a request.
    pub expires_at: Timestamp,
}

/// It is gone for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttachmentDeleted {}

/// Its bytes are gone for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttachmentPurged {}
