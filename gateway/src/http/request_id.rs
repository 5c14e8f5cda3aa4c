//! Every request has an id: the caller's own `X-Request-Id` if it is a sane one, else a new one. It stands in the answer
//! and in whatever is logged meanwhile.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::shared::Shared;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_BYTES: usize = 128;

pub(super) async fn name(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(X_REQUEST_ID).filter(|id| is_sane(id.as_bytes())).cloned();
    let made = || HeaderValue::try_from(shared.ids.uuid().to_string()).ok();
    let Some(id) = given.or_else(made) else { return next.run(request).await };
    // The path only: the query may hold credentials.
    let span = tracing::info_span!(
        "http",
        http.method = %request.method(),
        http.path = request.uri().path(),
        request.id = id.to_str().unwrap_or_default(),
    );
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}
