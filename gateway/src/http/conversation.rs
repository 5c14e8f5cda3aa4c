//! `/v1/conversations/{id}`: one conversation with what is set for it, read (GET), changed (PATCH) and deleted (DELETE).
//! What is another user's is answered like what does not exist.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use slipstream_commands::{ConversationChange, change_conversation, delete_conversation};
use slipstream_domain::conversation::{Patch, SettingsPatch};
use slipstream_domain::{ConversationId, MaxTokens, Params, SystemPrompt, Temperature, Title, TopP};
use slipstream_projections::conversations::{self, Conversation};
use slipstream_projections::{Conversations, Position, Waited, wait_for};
use utoipa::ToSchema;

use super::caller::AuthenticatedUser;
use super::conversations::ConversationJson;
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A conversation by itself as JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationWithSettings)]
struct WithSettings {
    #[serde(flatten)]
    conversation: ConversationJson,
    /// What is set; absent fields are not.
    #[schema(value_type = SettingsShape)]
    settings: SettingsJson,
}

/// What is set for a conversation's requests. In a change, null unsets.
#[derive(ToSchema)]
#[schema(as = Settings, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `Params` and `changes` read and write")]
struct SettingsShape {
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    #[schema(minimum = 0, maximum = 1)]
    top_p: Option<f64>,
    #[schema(minimum = 1, maximum = 10_000_000)]
    max_tokens: Option<u32>,
    enable_thinking: Option<bool>,
    enable_web_search: Option<bool>,
    system_prompt: Option<String>,
}

/// A change of a conversation: its title, its settings, or both.
#[derive(ToSchema)]
#[schema(as = ConversationChange)]
#[expect(dead_code, reason = "describes what `changes` reads")]
struct ChangeShape {
    #[schema(nullable = false, min_length = 1, pattern = r"\S")]
    title: Option<String>,
    #[schema(nullable = false)]
    settings: Option<SettingsShape>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsJson {
    #[serde(flatten)]
    params: Params,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<SystemPrompt>,
}

type Id = Result<Path<String>, PathRejection>;

/// Read a conversation and what is set for it
#[utoipa::path(get, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = uuid::Uuid, Path, description = "the conversation")),
    responses((status = 200, body = WithSettings)))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    id: Id,
) -> Result<Response, Problem> {
    let found = conversations::find(&shared.models, user, parse(id)?).await.map_err(Refusal::from)?;
    found.map(json).ok_or_else(absent)
}

/// Change a conversation's title or settings
///
/// Answers with the conversation, changed; with 202 and nothing when queries do not show the change yet.
#[utoipa::path(patch, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = uuid::Uuid, Path, description = "the conversation")),
    request_body = ChangeShape,
    responses((status = 200, body = WithSettings), (status = 202, description = "changed, and not shown yet")))]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    id: Id,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let id = parse(id)?;
    let change = changes(&body.map_err(|rejection| Problem::no_body(&rejection))?)?;
    let changed = change_conversation(&shared.app, user, id, change).await.map_err(Refusal::from)?;
    if shown(&shared, id, changed).await == Waited::Reached
        && let Some(conversation) =
            conversations::find(&shared.models, user, id).await.map_err(Refusal::from)?
    {
        return Ok(json(conversation));
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Delete a conversation
///
/// Answers once queries do not show the conversation any more, or have not come so far in time: it is deleted all the same.
#[utoipa::path(delete, path = "/v1/conversations/{id}", tag = "conversations", params(("id" = uuid::Uuid, Path, description = "the conversation")),
    responses((status = 204, description = "deleted")))]
pub(super) async fn delete(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    id: Id,
) -> Result<StatusCode, Problem> {
    let id = parse(id)?;
    let deleted = delete_conversation(&shared.app, user, id).await.map_err(Refusal::from)?;
    shown(&shared, id, deleted).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Waits, bounded, until queries have come so far.
async fn shown(shared: &Shared, id: ConversationId, at: Position) -> Waited {
    wait_for::<Conversations>(&shared.tiers.log, id, at, shared.settings.transcript_patience).await
}

fn absent() -> Problem {
    Problem::not_found("no such conversation")
}

/// What is no UTF-8 is no id either.
fn parse(id: Id) -> Result<ConversationId, Problem> {
    id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(absent)
}

fn json(conversation: Conversation) -> Response {
    let Conversation { summary, settings } = conversation;
    let settings = SettingsJson { params: settings.params, system_prompt: settings.system_prompt };
    Json(WithSettings { conversation: summary.into(), settings }).into_response()
}

/// `{title?, settings?: {temperature?, topP?, maxTokens?, enableThinking?, enableWebSearch?, systemPrompt?}}`; `null` unsets
/// a setting, and so does a blank system prompt.
fn changes(body: &[u8]) -> Result<ConversationChange, Problem> {
    let wrong = || Problem::bad_request("the body must be a JSON object with title, or settings, or both");
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Err(wrong()) };
    let title = body.get("title").map(title).transpose()?;
    let settings = match body.get("settings") {
        None if title.is_none() => return Err(wrong()),
        None => SettingsPatch::default(),
        Some(Value::Object(settings)) => patch(settings)?,
        Some(_) => return Err(Problem::bad_request("settings must be an object")),
    };
    Ok(ConversationChange { title, settings })
}

fn title(value: &Value) -> Result<Title, Problem> {
    let text = value.as_str().ok_or_else(|| Problem::bad_request("title must be a text"))?;
    Title::parse(text).map_err(|error| Problem::bad_request(error.to_string()))
}

/// What is no number is refused like a number out of range.
fn patch(settings: &Map<String, Value>) -> Result<SettingsPatch, Problem> {
    let double = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    Ok(SettingsPatch {
        temperature: setting(settings, "temperature", |value| Temperature::parse(double(value)).map(Some))?,
        top_p: setting(settings, "topP", |value| TopP::parse(double(value)).map(Some))?,
        max_tokens: setting(settings, "maxTokens", |value| MaxTokens::parse(count(value)).map(Some))?,
        enable_thinking: setting(settings, "enableThinking", |value| flag("enableThinking", value))?,
        enable_web_search: setting(settings, "enableWebSearch", |value| flag("enableWebSearch", value))?,
        system_prompt: setting(settings, "systemPrompt", system_prompt)?,
    })
}

fn setting<T, E: ToString>(
    settings: &Map<String, Value>,
    name: &str,
    parse: impl FnOnce(&Value) -> Result<Option<T>, E>,
) -> Result<Patch<T>, Problem> {
    match settings.get(name) {
        None => Ok(Patch::Keep),
        Some(Value::Null) => Ok(Patch::Unset),
        Some(value) => match parse(value) {
            Ok(Some(value)) => Ok(Patch::Set(value)),
            Ok(None) => Ok(Patch::Unset),
            Err(error) => Err(Problem::bad_request(format!("settings.{}", error.to_string()))),
        },
    }
}

fn flag(name: &str, value: &Value) -> Result<Option<bool>, String> {
    value.as_bool().map(Some).ok_or_else(|| format!("{name} must be true or false"))
}

fn system_prompt(value: &Value) -> Result<Option<SystemPrompt>, String> {
    let text = value.as_str().ok_or("systemPrompt must be a text")?;
    let text = Some(text).filter(|text| !text.trim().is_empty());
    text.map(|text| SystemPrompt::parse(text.to_owned())).transpose().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_changed_null_and_a_blank_prompt_unset() {
        let body = br#"{"title":" mine ","other":1,
                        "settings":{"temperature":0,"topP":null,"enableThinking":false,"systemPrompt":" "}}"#;
        let change = changes(body).unwrap();
        assert_eq!(change.title.unwrap().as_str(), "mine");
        let expected = SettingsPatch {
            temperature: Patch::Set(Temperature::parse(0.0).unwrap()),
            top_p: Patch::Unset,
            enable_thinking: Patch::Set(false),
            system_prompt: Patch::Unset,
            ..SettingsPatch::default()
        };
        assert_eq!(change.settings, expected);
    }
}
