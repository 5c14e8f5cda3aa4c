//! Whether the process lives and is ready, and its metrics.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::probes::{Check, Probed};

/// How long a dependency has to answer `/readyz`.
const PATIENCE: Duration = Duration::from_secs(2);

/// When the request came; for `/health`, which says how long it took.
#[derive(Clone, Copy)]
struct Received(Instant);

/// Notes when a request came.
pub(super) async fn timed(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Received(Instant::now()));
    next.run(request).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: &'static str,
    processing_time: String,
}

/// `GET /health`, as the web client's monitor wants it.
pub(super) async fn health(request: Request) -> Response {
    let took = request.extensions().get::<Received>().map_or(Duration::ZERO, |received| received.0.elapsed());
    let processing_time = format!("{:.3}ms", took.as_secs_f64() * 1000.0);
    Json(Health { status: "ok", processing_time }).into_response()
}

/// `GET /livez`: the process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    checks: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    name: &'static str,
    needed: bool,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// `GET /readyz`: 200 when every dependency that is needed answers and nothing is being shut down, else 503; each
/// dependency in the body.
pub(super) async fn ready(State(probed): State<Probed>) -> Response {
    let draining = probed.drain.is_cancelled();
    let checks = join_all(probed.probes.checks.iter().map(check)).await;
    let ready = !draining && checks.iter().all(|check| check.ready || !check.needed);
    let status = if draining {
        "draining"
    } else if !ready {
        "not ready"
    } else if checks.iter().all(|check| check.ready) {
        "ok"
    } else {
        "degraded"
    };
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { status, checks })).into_response()
}

async fn check(check: &Check) -> Checked {
    let answer = timeout(PATIENCE, (check.ask)()).await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())));
    Checked { name: check.name, needed: check.needed, ready: answer.is_ok(), reason: answer.err() }
}

/// `GET /metrics`, Prometheus' text format.
pub(super) async fn metrics(State(probed): State<Probed>) -> Response {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (text, (probed.probes.render_metrics)()).into_response()
}
