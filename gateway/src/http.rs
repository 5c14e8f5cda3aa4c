//! HTTP beside the sockets: health, metrics, queries, the console page. A WebSocket upgrade is taken on any path; any
//! other request that no route knows is told to upgrade.

mod attachments;
mod audit;
mod blobs;
mod caller;
mod conversation;
mod conversations;
mod etag;
mod generation_stream;
mod health;
mod me;
mod models;
mod openapi;
mod problem;
mod provider_keys;
mod request_id;
mod search;
mod serve;
mod sessions;
mod upgrade;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::problem::Problem;
use crate::probes::{Probed, Probes};
use crate::settings::Settings;
use crate::shared::Shared;

pub(crate) use serve::{Intake, connection, serve};

/// All of the gateway's HTTP.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let (described, description) = described().split_for_parts();
    let description = openapi::text(&description);
    Router::new()
        .merge(probes())
        .merge(described.layer(from_fn(etag::tagged)))
        .route("/openapi.json", get(async move || openapi::answer(&description)))
        .route("/docs", get(docs))
        .route("/console", get(console))
        .route("/blobs/{*path}", any(blobs::blob))
        .fallback(upgrade_required)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(shared.clone(), upgrade::upgrade))
        .layer(from_fn_with_state(shared.clone(), request_id::name))
        .layer(from_fn(health::timed))
        .with_state(shared)
}

/// The HTTP API: each handler says what it takes and answers.
fn described() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(attachments::list))
        .routes(routes!(audit::events))
        .routes(routes!(conversations::list))
        .routes(routes!(conversation::show, conversation::change, conversation::delete))
        .routes(routes!(conversations::messages))
        .routes(routes!(generation_stream::stream))
        .routes(routes!(me::show, me::change))
        .routes(routes!(models::list))
        .routes(routes!(provider_keys::list))
        .routes(routes!(provider_keys::put, provider_keys::remove))
        .routes(routes!(provider_keys::validate))
        .routes(routes!(search::search))
        .routes(routes!(sessions::list, sessions::open, sessions::close_all))
        .routes(routes!(sessions::close))
        .routes(routes!(sessions::ticket))
        .routes(routes!(usage::usage))
}

/// The HTTP API as `OpenAPI` 3.1: what `/openapi.json` answers.
#[must_use]
pub fn openapi() -> String {
    openapi::text(&described().into_openapi())
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

async fn docs() -> Html<&'static str> {
    Html(include_str!("http/docs.html"))
}

async fn upgrade_required() -> Response {
    Problem::upgrade_required().into_response()
}

async fn method_not_allowed() -> Response {
    Problem::method_not_allowed().into_response()
}
