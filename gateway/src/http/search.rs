//! `GET /v1/search?q=`: a user's own messages by what they say.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use slipstream_domain::{ConversationId, MessageId, Role};
use slipstream_projections::conversations;
use slipstream_projections::transcript::search as find;
use utoipa::{IntoParams, ToSchema};

use super::caller::AuthenticatedUser;
use super::conversations::{PageJson, after, limit};
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The longest query, in characters.
const LONGEST: usize = 128;

/// What is looked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// Words as in a web search: all of them, `"a phrase"`, `or`, `-without`.
    #[param(required = true, nullable = false, min_length = 1, max_length = 128)]
    q: Option<String>,
    /// Where the page begins: `nextCursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Rows of the page; 50 when absent.
    #[param(nullable = false, value_type = u16, required = false, minimum = 1, maximum = 200)]
    limit: Option<String>,
}

/// A message that matches.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Found)]
pub(super) struct FoundJson {
    #[schema(value_type = uuid::Uuid)]
    conversation_id: ConversationId,
    /// The conversation's title; absent when it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
    #[schema(value_type = uuid::Uuid)]
    message_id: MessageId,
    /// `user` or `assistant`.
    #[schema(value_type = String)]
    role: Role,
    /// Epoch milliseconds.
    created_at: i64,
    /// A part of the message around what matches, in pieces.
    snippet: Vec<PieceJson>,
}

/// A piece of a text.
#[derive(Serialize, ToSchema)]
#[schema(as = Piece)]
struct PieceJson {
    text: String,
    /// Whether it is what was looked for; absent when it is not.
    #[serde(rename = "match", skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    matches: bool,
}

/// Search own messages, the best matches first
#[utoipa::path(get, path = "/v1/search", tag = "conversations", params(SearchQuery),
    responses((status = 200, body = PageJson<FoundJson>)))]
pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Result<Json<PageJson<FoundJson>>, Problem> {
    let Query(SearchQuery { q, cursor, limit: asked }) =
        query.map_err(|_| Problem::bad_request("the query may have q, cursor and limit, each once"))?;
    let words = q.filter(|words| {
        !words.trim().is_empty() && words.chars().count() <= LONGEST && !words.contains('\0')
    });
    let words = words.ok_or_else(|| {
        Problem::bad_request(format!("q must be what is looked for, at most {LONGEST} characters"))
    })?;
    let after = after(cursor)?;
    let models = &shared.models;
    let (found, next) = find(models, user, &words, after, limit(asked)?).await.map_err(Refusal::from)?;
    let ids: Vec<_> = found.iter().map(|found| found.conversation).collect();
    let titles = conversations::titles(models, user, &ids).await.map_err(Refusal::from)?;
    let items = found.into_iter().map(|found| FoundJson {
        conversation_id: found.conversation,
        title: titles.get(&found.conversation).cloned().flatten(),
        message_id: found.message,
        role: found.role,
        created_at: found.created_at.millis(),
        snippet: found
            .snippet
            .into_iter()
            .map(|piece| PieceJson { text: piece.text, matches: piece.matches })
            .collect(),
    });
    let items = items.collect();
    Ok(Json(PageJson { items, next_cursor: next.map(|next| next.to_string()) }))
}
