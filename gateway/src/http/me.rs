//! `/v1/me`: what is known of who asks, and their settings.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde::Serialize;
use serde_json::{Map, Value};
use slipstream_commands::{find_person, update_settings};
use slipstream_domain::conversation::Patch;
use slipstream_domain::event::{SettingsChanged, UserRole};
use slipstream_domain::user::UserSettingsPatch;
use slipstream_domain::{ModelId, ProviderId, RequestMetadata, UserId};
use utoipa::ToSchema;

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::catalogue::Catalogue;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A person as they see themselves.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Me)]
pub(super) struct MeJson {
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    #[schema(value_type = String)]
    role: UserRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    location: Option<RequestMetadata>,
    #[schema(value_type = UserSettingsShape)]
    settings: SettingsChanged,
}

/// A person's settings; absent is unset, and `null` unsets.
#[derive(ToSchema)]
#[schema(as = UserSettings, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `SettingsChanged` and `patch` read and write")]
struct UserSettingsShape {
    /// `light`, `dark` or `system`.
    theme: Option<String>,
    default_provider: Option<String>,
    /// Goes with its provider.
    default_model: Option<String>,
}

/// What is to be changed.
#[derive(ToSchema)]
#[schema(as = MeChange)]
#[expect(dead_code, reason = "describes what `patch` reads")]
struct MeChangeShape {
    settings: UserSettingsShape,
}

/// Show who one is
#[utoipa::path(get, path = "/v1/me", tag = "account", responses((status = 200, body = MeJson)))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
) -> Result<Json<MeJson>, Problem> {
    let person = find_person(&shared.app, user).await.map_err(Refusal::from)?;
    let profile = person.profile.map(|profile| (Some(profile.email), profile.name, profile.image));
    let (email, name, image) = profile.unwrap_or_default();
    let (role, location, settings) = (person.role, person.location, person.settings);
    Ok(Json(MeJson { user_id: user, role, email, name, image, location, settings }))
}

/// Change one's own settings; answers with the person, changed
#[utoipa::path(patch, path = "/v1/me", tag = "account", request_body = MeChangeShape, responses((status = 200, body = MeJson)))]
pub(super) async fn change(
    state: State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<MeJson>, Problem> {
    let body = body.map_err(|rejection| Problem::no_body(&rejection))?;
    let patch = patch(&*state.catalogue, &body)?;
    update_settings(&state.app, user, patch).await.map_err(Refusal::from)?;
    show(state, AuthenticatedUser(user)).await
}

const WANTED: &str =
    "the body must be a JSON object with settings: theme, or defaultProvider and defaultModel";

/// `{settings: {theme?, defaultProvider?, defaultModel?}}`; `null` unsets. A model goes with its provider.
fn patch(catalogue: &dyn Catalogue, body: &[u8]) -> Result<UserSettingsPatch, Problem> {
    let wrong = || Problem::bad_request(WANTED);
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| wrong())?;
    let settings = body.get("settings").and_then(Value::as_object).ok_or_else(wrong)?;
    let theme = match settings.get("theme") {
        None => Patch::Keep,
        Some(Value::Null) => Patch::Unset,
        Some(theme) => Patch::Set(
            serde_json::from_value(theme.clone())
                .map_err(|_| Problem::bad_request("settings.theme must be light, dark or system"))?,
        ),
    };
    let default = match (settings.get("defaultProvider"), settings.get("defaultModel")) {
        (None, None) => Patch::Keep,
        (Some(Value::Null), None | Some(Value::Null)) => Patch::Unset,
        (Some(Value::String(provider)), None | Some(Value::Null)) => {
            Patch::Set((known(catalogue, provider, None)?.0, None))
        }
        (Some(Value::String(provider)), Some(Value::String(model))) => {
            let (provider, model) = known(catalogue, provider, Some(model))?;
            Patch::Set((provider, Some(model)))
        }
        (Some(_) | None, Some(_) | None) => {
            let right = "settings.defaultProvider must be a provider's name, and settings.defaultModel one of its models";
            return Err(Problem::bad_request(right));
        }
    };
    Ok(UserSettingsPatch { theme, default })
}

fn known(
    catalogue: &dyn Catalogue,
    provider: &str,
    model: Option<&str>,
) -> Result<(ProviderId, ModelId), Problem> {
    let found = catalogue.resolve(provider, model);
    found.map_err(|unknown| Problem::bad_request(format!("settings: {}", unknown.message)))
}
