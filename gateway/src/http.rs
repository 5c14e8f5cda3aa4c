//! HTTP beside the sockets: health, metrics, queries, the console page. A WebSocket upgrade is taken on any path; any
//! other request that no route knows is told to upgrade.

mod attachments;
mod blobs;
mod caller;
mod conversation;
mod conversations;
mod generation_stream;
mod health;
mod models;
mod problem;
mod provider_keys;
mod request_id;
mod serve;
mod sessions;
mod upgrade;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::problem::Problem;
use crate::probes::{Probed, Probes};
use crate::settings::Settings;
use crate::shared::Shared;

pub(crate) use serve::{Intake, connection, serve};

/// All of the gateway's HTTP.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(probes())
        .route("/console", get(console))
        .route("/v1/attachments", get(attachments::list))
        .route("/v1/conversations", get(conversations::list))
        .route(
            "/v1/conversations/{id}",
            get(conversation::show).patch(conversation::change).delete(conversation::delete),
        )
        .route("/v1/conversations/{id}/messages", get(conversations::messages))
        .route("/v1/generations/{id}/stream", get(generation_stream::stream))
        .route("/v1/models", get(models::list))
        .route("/v1/usage", get(usage::usage))
        .route("/blobs/{*path}", any(blobs::blob))
        .route("/v1/sessions", get(sessions::list).post(sessions::open).delete(sessions::close_all))
        .route("/v1/sessions/{id}", delete(sessions::close))
        .route("/v1/tickets", post(sessions::ticket))
        .route("/v1/keys", get(provider_keys::list))
        .route("/v1/keys/{provider}", put(provider_keys::put).delete(provider_keys::remove))
        .route("/v1/keys/{provider}/validate", post(provider_keys::validate))
        .fallback(upgrade_required)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(shared.clone(), upgrade::upgrade))
        .layer(from_fn_with_state(shared.clone(), request_id::name))
        .layer(from_fn(health::timed))
        .with_state(shared)
}

/// What every process answers about itself.
fn probes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Probed: FromRef<S>,
{
    Router::new()
        .route("/health", get(health::health))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
}

impl FromRef<Arc<Shared>> for Probed {
    fn from_ref(shared: &Arc<Shared>) -> Self {
        shared.probed.clone()
    }
}

/// For a process that talks to no clients: answers `/health`, `/livez`, `/readyz` and `/metrics` until the drain, and
/// nothing else. Of `settings`, those of HTTP count. Connections are tasks of `tasks`.
pub async fn serve_probes(
    probes: Probes,
    settings: &Settings,
    listener: TcpListener,
    tasks: TaskTracker,
    drain: CancellationToken,
) {
    let intake = Intake::new(settings, tasks, drain.clone());
    let router = self::probes()
        .fallback(not_here)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(health::timed))
        .with_state(Probed { probes, drain });
    serve(intake, router, listener).await;
}

async fn not_here() -> Response {
    Problem::not_found("this process talks to no clients; it answers /health, /livez, /readyz and /metrics")
        .into_response()
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
