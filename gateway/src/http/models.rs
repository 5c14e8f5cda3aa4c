//! `GET /v1/models`: what there is to choose from, for the user who asks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use slipstream_domain::KeySource;

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::catalogue::Models;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// List the models that can be asked
#[utoipa::path(get, path = "/v1/models", tag = "account", responses((status = 200, body = Models)))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
) -> Result<Json<Models>, Problem> {
    let mut models = shared.catalogue.models();
    for provider in models.providers.iter_mut().filter(|provider| !provider.usable) {
        let source = shared.app.keys().source(user, &provider.id).await;
        let source = source.map_err(|error| Refusal::from(slipstream_commands::CommandError::from(error)))?;
        provider.usable = source != KeySource::None;
    }
    Ok(Json(models))
}
