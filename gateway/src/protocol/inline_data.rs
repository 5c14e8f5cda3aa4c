//! A picture inside a reply, in a frame of its own.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slipstream_domain::AttachmentId;

use super::server::ChatHead;
use super::v1::PlaceInReply;

/// A picture inside a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineData {
    /// Of which reply.
    #[serde(flatten)]
    pub head: Arc<ChatHead>,
    /// Always false.
    pub done: bool,
    /// The file it is kept as.
    pub attachment_id: AttachmentId,
    /// All of it, as `data:<mime>;base64,…`; compat only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Where it is shown for a while: on v1, and when it is too large for `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where it stands; v1 only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceInReply>,
}

impl InlineData {
    /// A picture and the URL that shows it, or is it.
    #[must_use]
    pub fn new(
        head: Arc<ChatHead>,
        attachment_id: AttachmentId,
        shown: Option<String>,
        place: Option<PlaceInReply>,
    ) -> Self {
        let (data, url) = match shown {
            Some(shown) if shown.starts_with("data:") => (Some(shown), None),
            shown => (None, shown),
        };
        Self { head, done: false, attachment_id, data, url, place }
    }
}
