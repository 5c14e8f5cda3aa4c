//! `GET /v1/conversations` and `GET /v1/conversations/{id}/messages`: pages of the read models as JSON. What is another
//! user's is answered like what does not exist.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use slipstream_domain::{ConversationId, GenerationId, MessageId, Rating, Role, Timestamp};
use slipstream_projections::conversations::{self, ConversationSummary};
use slipstream_projections::transcript::{self, Message};
use slipstream_projections::{Cursor, MAX_PAGE, NotACursor, Page};
use utoipa::{IntoParams, ToSchema};

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Rows of a page when the caller does not say.
const DEFAULT_LIMIT: usize = 50;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Where the page begins: `nextCursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Rows of the page; 50 when absent.
    #[param(nullable = false, value_type = u16, required = false, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A page as JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Page)]
pub(super) struct PageJson<T> {
    pub(super) items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) next_cursor: Option<String>,
}

/// A conversation as JSON; times are epoch milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Conversation)]
pub(super) struct ConversationJson {
    #[schema(value_type = uuid::Uuid)]
    id: ConversationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
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
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Message)]
pub(super) struct MessageJson {
    #[schema(value_type = uuid::Uuid)]
    id: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>, nullable = false)]
    parent_message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>, nullable = false)]
    edited_from: Option<MessageId>,
    /// The ways on from the same place, this message's among them, the oldest first; absent when there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    siblings: Vec<SiblingJson>,
    #[schema(value_type = String)]
    role: Role,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    thinking_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    thinking_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>, nullable = false)]
    generation_id: Option<GenerationId>,
    /// Absent when it is not rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rating: Option<&'static str>,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ended_at: Option<i64>,
}

/// One of several ways on as JSON: its first message, and the leaf to choose to see all of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Sibling)]
struct SiblingJson {
    #[schema(value_type = uuid::Uuid)]
    message_id: MessageId,
    #[schema(value_type = uuid::Uuid)]
    leaf_message_id: MessageId,
}

/// List own conversations, the one with the newest message first
#[utoipa::path(get, path = "/v1/conversations", tag = "conversations", params(PageQuery),
    responses((status = 200, body = PageJson<ConversationJson>)))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<PageJson<ConversationJson>>, Problem> {
    let (after, limit) = which(query)?;
    let page = conversations::list(&shared.models, user, after, limit).await.map_err(Refusal::from)?;
    Ok(json(page, ConversationJson::from))
}

/// Read a conversation as it is shown, from its first message on
#[utoipa::path(get, path = "/v1/conversations/{id}/messages", tag = "conversations",
    params(("id" = uuid::Uuid, Path, description = "the conversation"), PageQuery),
    responses((status = 200, body = PageJson<MessageJson>)))]
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
    let Query(PageQuery { cursor, limit: asked }) =
        query.map_err(|_| Problem::bad_request("the query may have cursor and limit, each once"))?;
    Ok((after(cursor)?, limit(asked)?))
}

/// Where a page begins.
pub(super) fn after<C: FromStr<Err = NotACursor>>(cursor: Option<String>) -> Result<Option<C>, Problem> {
    let after = cursor.map(|cursor| cursor.parse::<C>()).transpose();
    after.map_err(|error| Problem::bad_request(error.to_string()))
}

/// The rows of a page, as the caller wants them.
pub(super) fn limit(asked: Option<String>) -> Result<usize, Problem> {
    let wrong = || Problem::bad_request(format!("limit must be a whole number from 1 to {MAX_PAGE}"));
    let limit = asked.map_or(Ok(DEFAULT_LIMIT), |limit| limit.parse().map_err(|_| wrong()))?;
    if (1..=MAX_PAGE).contains(&limit) { Ok(limit) } else { Err(wrong()) }
}

pub(super) fn json<T, J>(page: Page<T>, item: impl Fn(T) -> J) -> Json<PageJson<J>> {
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    Json(PageJson { items: page.items.into_iter().map(item).collect(), next_cursor })
}
