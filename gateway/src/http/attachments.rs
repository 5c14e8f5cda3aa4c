//! `GET /v1/attachments`: pages of a user's files as JSON, each that is there with a URL that shows it for a while.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use slipstream_commands::ports::Blob;
use slipstream_domain::{
    AttachmentId, AttachmentStatus, ConversationId, ImageDetails, MessageId, Origin, Timestamp,
};
use slipstream_projections::Page;
use slipstream_projections::attachments::{self, AttachmentSummary};
use utoipa::ToSchema;

use super::caller::AuthenticatedUser;
use super::conversations::{PageJson, PageQuery, json, which};
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A file as JSON; times are epoch milliseconds, sizes bytes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Attachment)]
pub(super) struct AttachmentJson {
    #[schema(value_type = uuid::Uuid)]
    id: AttachmentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>, nullable = false)]
    conversation_id: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>, nullable = false)]
    message_id: Option<MessageId>,
    #[schema(value_type = String)]
    origin: Origin,
    #[schema(value_type = String)]
    status: AttachmentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    filename: Option<String>,
    mime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    image: Option<ImageDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pages: Option<u32>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ready_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    download_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    download_url_expires_at: Option<i64>,
}

/// List own files, the newest first
#[utoipa::path(get, path = "/v1/attachments", tag = "files", params(PageQuery),
    responses((status = 200, body = PageJson<AttachmentJson>)))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<PageJson<AttachmentJson>>, Problem> {
    let (after, limit) = which(query)?;
    let Page { items, next } =
        attachments::list(&shared.models, user, after, limit).await.map_err(Refusal::from)?;
    let mut shown = Vec::with_capacity(items.len());
    for file in items {
        shown.push(show(&shared, file).await?);
    }
    Ok(json(Page { items: shown, next }, |file| file))
}

async fn show(shared: &Shared, file: AttachmentSummary) -> Result<AttachmentJson, Refusal> {
    let there = matches!(file.status, AttachmentStatus::Ready | AttachmentStatus::Attached);
    let url = match (file.blob, &file.filename) {
        (Some(key), Some(filename)) if there => {
            Some(shared.files.show(&Blob { key, version_id: file.version_id }, filename).await?)
        }
        _ => None,
    };
    Ok(AttachmentJson {
        id: file.id,
        conversation_id: file.conversation,
        message_id: file.message,
        origin: file.origin,
        status: file.status,
        filename: file.filename,
        mime: file.mime,
        size: file.size,
        image: file.image,
        pages: file.pages,
        created_at: file.requested_at.millis(),
        ready_at: file.ready_at.map(Timestamp::millis),
        download_url_expires_at: url.as_ref().map(|url| url.expires_at.millis()),
        download_url: url.map(|url| url.url),
    })
}
