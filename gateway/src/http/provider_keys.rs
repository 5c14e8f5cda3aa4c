//! `/v1/keys`: people's own keys of providers. A key goes in and never comes out.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use slipstream_commands::ports::StoredKey;
use slipstream_commands::{remove_provider_key, store_provider_key};
use slipstream_domain::{KeyId, KeySource, ProviderId};
use utoipa::ToSchema;

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::accounts::KeyCheckError;
use crate::protocol::ErrorCode;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A key that is put.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KeyPut)]
pub(super) struct KeyPut {
    #[schema(value_type = String)]
    api_key: SecretString,
    #[serde(default)]
    is_default: bool,
}

/// A key that is to be looked at; the one that is kept when none is given.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KeyShown)]
pub(super) struct KeyShown {
    #[schema(value_type = Option<String>, nullable = false)]
    api_key: Option<SecretString>,
}

/// A key as JSON; times are epoch milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Key)]
pub(super) struct KeyJson {
    provider: String,
    #[schema(value_type = uuid::Uuid)]
    key_id: KeyId,
    fingerprint: String,
    is_default: bool,
    stored_at: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Keys)]
pub(super) struct KeysJson {
    items: Vec<KeyJson>,
}

/// What the provider says.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyVerdict)]
pub(super) struct ValidJson {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// List own keys of providers; the keys themselves are never shown
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, body = KeysJson)))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
) -> Result<Json<KeysJson>, Problem> {
    let keys = shared.accounts()?.provider_keys.list(user).await.map_err(Refusal::from)?;
    Ok(Json(KeysJson { items: keys.into_iter().map(key_json).collect() }))
}

/// Keep a key that its provider takes
#[utoipa::path(put, path = "/v1/keys/{provider}", tag = "keys", params(("provider" = String, Path, description = "a provider's id such as openai")), request_body = KeyPut,
    responses((status = 200, body = KeyJson)))]
pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    Path(provider): Path<String>,
    body: Result<Json<KeyPut>, JsonRejection>,
) -> Result<Json<KeyJson>, Problem> {
    let accounts = shared.accounts()?;
    let provider = known(&shared, &provider)?;
    let Json(KeyPut { api_key, is_default }) = body.map_err(|rejection| malformed(&rejection))?;
    accounts.key_check.check(&provider, &api_key).await?;
    let keys = &*accounts.provider_keys;
    let stored = store_provider_key(&shared.app, keys, user, &provider, &api_key, is_default).await;
    Ok(Json(key_json(stored.map_err(Refusal::from)?)))
}

/// Remove a key
#[utoipa::path(delete, path = "/v1/keys/{provider}", tag = "keys", params(("provider" = String, Path, description = "a provider's id such as openai")),
    responses((status = 204, description = "removed")))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    Path(provider): Path<String>,
) -> Result<StatusCode, Problem> {
    let accounts = shared.accounts()?;
    let provider = known(&shared, &provider)?;
    let removed = remove_provider_key(&shared.app, &*accounts.provider_keys, user, &provider).await;
    removed.map_err(Refusal::from)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ask the provider about a key, and keep nothing
#[utoipa::path(post, path = "/v1/keys/{provider}/validate", tag = "keys", params(("provider" = String, Path, description = "a provider's id such as openai")), request_body = KeyShown,
    responses((status = 200, body = ValidJson)))]
pub(super) async fn validate(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    Path(provider): Path<String>,
    body: Result<Json<KeyShown>, JsonRejection>,
) -> Result<Json<ValidJson>, Problem> {
    let accounts = shared.accounts()?;
    let provider = known(&shared, &provider)?;
    let Json(KeyShown { api_key }) = body.map_err(|rejection| malformed(&rejection))?;
    let key = match api_key {
        Some(key) => key,
        None => kept(&shared, user, &provider).await?,
    };
    match accounts.key_check.check(&provider, &key).await {
        Ok(()) => Ok(Json(ValidJson { valid: true, reason: None })),
        Err(KeyCheckError::Refused(reason)) => Ok(Json(ValidJson { valid: false, reason: Some(reason) })),
        Err(error @ KeyCheckError::Untold(_)) => Err(error.into()),
    }
}

/// The user's own key, never the server's.
async fn kept(
    shared: &Shared,
    user: slipstream_domain::UserId,
    provider: &ProviderId,
) -> Result<SecretString, Problem> {
    let absent = || Problem::not_found("you have no key of this provider");
    let source = shared.app.keys().source(user, provider).await.map_err(Refusal::from)?;
    let own @ KeySource::Own { .. } = source else { return Err(absent()) };
    let key = shared.app.keys().key(user, provider, own).await.map_err(Refusal::from)?;
    key.ok_or_else(absent)
}

fn known(shared: &Shared, provider: &str) -> Result<ProviderId, Problem> {
    let known = shared.catalogue.resolve(provider, None);
    known.map(|(provider, _)| provider).map_err(|unknown| Problem::not_found(unknown.message))
}

/// Says what is wrong without quoting: the key stands in the body.
fn malformed(rejection: &JsonRejection) -> Problem {
    tracing::debug!(status = %rejection.status(), "a body with a key is malformed");
    Problem::bad_request("the body must be JSON as in {\"apiKey\": \"…\"}, sent as application/json")
}

fn key_json(key: StoredKey) -> KeyJson {
    KeyJson {
        provider: key.provider.as_str().to_owned(),
        key_id: key.key_id,
        fingerprint: key.fingerprint,
        is_default: key.is_default,
        stored_at: key.stored_at.millis(),
    }
}

impl From<KeyCheckError> for Problem {
    fn from(error: KeyCheckError) -> Self {
        match error {
            KeyCheckError::Refused(reason) => Self::bad_request(reason),
            KeyCheckError::Untold(reason) => Refusal::new(ErrorCode::Unavailable, reason).into(),
        }
    }
}
