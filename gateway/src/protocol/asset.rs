//! What clients get about their files.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slipstream_domain::{AttachmentId, AttachmentStatus, Origin, UserId};

use super::ErrorCode;

/// Which file a frame is about, in the words of its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetHead {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    pub user_id: UserId,
}

/// Why a frame about a file or an image was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetError {
    #[serde(flatten)]
    pub head: AssetHead,
    pub success: bool,
    pub error: String,
    pub code: ErrorCode,
}

/// How a file is uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct UploadInstructions {
    pub attachment_id: AttachmentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    pub mime_type: String,
    pub method: String,
    pub upload_url: String,
    pub required_headers: BTreeMap<String, String>,
    /// Seconds.
    pub expires_in: u64,
    pub bucket: String,
    pub key: String,
}

/// A file that is stored and has been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct ReadyAsset {
    #[serde(flatten)]
    pub head: AssetHead,
    pub success: bool,
    pub bucket: String,
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `s3://bucket/key#version`; `#nov` where there are no versions.
    pub s3_object_id: String,
    pub etag: String,
    pub size: u64,
    pub mime: String,
    pub origin: Origin,
    pub status: AttachmentStatus,
    pub download_url: String,
    pub download_url_expires_at: i64,
    pub metadata: AssetMetadata,
}

/// What else is known of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct AssetMetadata {
    pub filename: String,
    pub uploaded_at: i64,
    /// Milliseconds since it was announced.
    pub upload_duration: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<Dimensions>,
}

/// The size of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct Dimensions {
    pub width: u32,
    pub height: u32,
}

/// How far an upload is, as its client says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct UploadProgress {
    #[serde(flatten)]
    pub head: AssetHead,
    pub progress: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_uploaded: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
}

/// An upload has been given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct UploadAborted {
    #[serde(flatten)]
    pub head: AssetHead,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How far the files of a batch are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct BatchUpload {
    #[serde(flatten)]
    pub head: AssetHead,
    pub total: usize,
    pub ready: usize,
    pub failed: usize,
    pub attachments: Vec<BatchFile>,
}

/// A file of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the wire protocol")]
pub struct BatchFile {
    pub attachment_id: AttachmentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_id: Option<String>,
    pub status: AttachmentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    pub mime: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl AssetHead {
    /// The same, of this file.
    #[must_use]
    pub fn of(self, id: AttachmentId) -> Self {
        Self { attachment_id: Some(id.to_string()), ..self }
    }
}
