//! HTTP beside the sockets: health, metrics, queries, the console page. A WebSocket upgrade is taken on any path; any
//! other request that no route knows is told to upgrade.

mod caller;
mod conversations;
mod generation_stream;
mod health;
mod problem;
mod request_id;
mod serve;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use self::problem::Problem;
use crate::shared::Shared;

pub(crate) use serve::{connection, serve};

/// All of the gateway's HTTP.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/console", get(console))
        .route("/v1/conversations", get(conversations::list))
        .route("/v1/conversations/{id}/messages", get(conversations::messages))
        .route("/v1/generations/{id}/stream", get(generation_stream::stream))
        .fallback(upgrade_required)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(shared.clone(), upgrade::upgrade))
        .layer(from_fn_with_state(shared.clone(), request_id::name))
        .layer(from_fn(health::timed))
        .with_state(shared)
}

async fn console() -> Html<&'static str> {
    Html(include_str!("http/console.html"))
}

async fn upgrade_required() -> Response {
    Problem::upgrade_required().into_response()
}

async fn method_not_allowed() -> Response {
    Problem::method_not_allowed().into_response()
}
