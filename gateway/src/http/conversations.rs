//! `GET /v1/conversations` and `GET /v1/conversations/{id}/messages`: pages of the read models as JSON. What is another
//! user's is answered like what does not exist.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use slipstream_domain::{ConversationId, GenerationId, MessageId, Rating, Role, Timestamp};
use slipstream_projections::conversations::{self, ConversationSummary};
use slipstream_projections::transcript::{self, Message};
use slipstream_projections::{Cursor, MAX_PAGE, Page};

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Rows of a page when the caller does not say.
const DEFAULT_LIMIT: usize = 50;

/// Which page.
#[derive(Deserialize)]
pub(super) struct PageQuery {
    cursor: Option<String>,
    limit: Option<String>,
}

/// A page as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageJson<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A conversation as JSON; times are epoch milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationJson {
    id: ConversationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl From<ConversationSummary> for ConversationJson {
    fn from(conversation: ConversationSummary) -> Self {
        Self {
            id: conversation.id,
            title: conversation.title,
            created_at: conversation.created_at.millis(),
            updated_at: conversation.updated_at.millis(),
            version: conversation.version,
        }
    }
}

/// A message as JSON; times are epoch milliseconds, durations milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageJson {
    id: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_from: Option<MessageId>,
    /// The ways on from the same place, this message's among them, the oldest first; absent when there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    siblings: Vec<SiblingJson>,
    role: Role,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_id: Option<GenerationId>,
    /// Absent when it is not rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<&'static str>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

/// One of several ways on as JSON: its first message, and the leaf to choose to see all of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SiblingJson {
    message_id: MessageId,
    leaf_message_id: MessageId,
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<PageJson<ConversationJson>>, Problem> {
    let (after, limit) = which(query)?;
    let page = conversations::list(&shared.models, user, after, limit).await.map_err(Refusal::from)?;
    Ok(json(page, ConversationJson::from))
}

pub(super) async fn messages(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<PageJson<MessageJson>>, Problem> {
    let absent = || Problem::not_found("no such conversation");
    // What is no UTF-8 is no id either.
    let Path(id) = id.map_err(|_| absent())?;
    let id = id.parse().map_err(|_| absent())?;
    let (after, limit) = which(query)?;
    let page = transcript::messages(&shared.models, user, id, after, limit).await.map_err(Refusal::from)?;
    Ok(json(page.ok_or_else(absent)?, message_json))
}

fn message_json(message: Message) -> MessageJson {
    MessageJson {
        id: message.id,
        parent_message_id: message.parent_id,
        edited_from: message.edited_from,
        siblings: message
            .siblings
            .into_iter()
            .map(|sibling| SiblingJson { message_id: sibling.id, leaf_message_id: sibling.leaf })
            .collect(),
        role: message.role,
        status: message.status.as_str(),
        provider: message.provider.map(|provider| provider.as_str().to_owned()),
        model: message.model.map(|model| model.as_str().to_owned()),
        text: message.text,
        thinking_text: message.thinking_text,
        thinking_duration: message.thinking_ms,
        generation_id: message.generation_id,
        rating: Some(message.rating).filter(|rating| *rating != Rating::None).map(Rating::as_str),
        created_at: message.created_at.millis(),
        ended_at: message.ended_at.map(Timestamp::millis),
    }
}

pub(super) fn which(
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<(Option<Cursor>, usize), Problem> {
    let wrong_limit = || Problem::bad_request(format!("limit must be a whole number from 1 to {MAX_PAGE}"));
    let Query(PageQuery { cursor, limit }) =
        query.map_err(|_| Problem::bad_request("the query may have cursor and limit, each once"))?;
    let after = cursor.map(|cursor| cursor.parse()).transpose();
    let after =
        after.map_err(|error: slipstream_projections::NotACursor| Problem::bad_request(error.to_string()))?;
    let limit = limit.map_or(Ok(DEFAULT_LIMIT), |limit| limit.parse().map_err(|_| wrong_limit()))?;
    if (1..=MAX_PAGE).contains(&limit) { Ok((after, limit)) } else { Err(wrong_limit()) }
}

pub(super) fn json<T, J>(page: Page<T>, item: impl Fn(T) -> J) -> Json<PageJson<J>> {
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    Json(PageJson { items: page.items.into_iter().map(item).collect(), next_cursor })
}
