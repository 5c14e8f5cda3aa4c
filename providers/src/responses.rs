//! The Responses API, `POST {base}/responses`, as OpenAI and xAI speak it.

mod body;
mod events;

use reqwest::Url;
use tokio_util::sync::CancellationToken;

use crate::exchange::{Exchange, ask};
use crate::http::Http;
use crate::{ChatRequest, DeltaStream};
pub(crate) use events::ResponsesDecoder;

/// Whose Responses API. They differ in what a request may hold, not in how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    /// Has no `truncation` and no `stream_options`, and searches X beside the web.
    Xai,
}

/// Asks once.
pub(crate) fn stream(
    http: &Http,
    url: Url,
    dialect: Dialect,
    request: &ChatRequest,
    cancel: CancellationToken,
) -> DeltaStream {
    let key = request.key.as_ref();
    let exchange = body::body(request, dialect).and_then(|body| Exchange::bearer(url, key, body));
    ask(http, exchange, ResponsesDecoder::default(), key, cancel)
}
