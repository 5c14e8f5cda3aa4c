//! OpenAI by the Responses API: `POST {base}/v1/responses`, `Authorization: Bearer`, server-sent events.
//!
//! Formats after OpenAI's API reference ("Responses", "Streaming events", "Error codes").

mod body;
mod errors;
mod events;
#[cfg(test)]
mod tests;

use futures::{StreamExt, TryFutureExt};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, Url};
use slipstream_domain::{ErrorClass, ProviderId};
use tokio_util::sync::CancellationToken;

use crate::base_url::BaseUrl;
use crate::decode::deltas;
use crate::delta::until_cancelled;
use crate::http::Http;
use crate::{ChatRequest, DeltaStream, Provider, ProviderError};
use events::ResponsesDecoder;

/// The adapter.
#[derive(Debug)]
pub(crate) struct OpenAi {
    id: ProviderId,
    http: Http,
    url: Url,
}

impl OpenAi {
    /// Where OpenAI is, unless a setting says otherwise.
    pub(crate) const BASE_URL: &str = "https://api.openai.com/v1";
    /// The version path of its API.
    pub(crate) const VERSION: &str = "v1";

    pub(crate) fn new(id: ProviderId, http: Http, base: &BaseUrl) -> Self {
        Self { id, http, url: base.operation("responses") }
    }
}

impl Provider for OpenAi {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let (http, url, key) = (self.http.clone(), self.url.clone(), request.key.clone());
        let body = body::json(request);
        let max_event_bytes = http.settings.max_event_bytes;
        let answer = async move {
            let mut headers = HeaderMap::new();
            if let Some(key) = &key {
                let bearer =
                    key.bearer().map_err(|e| ProviderError::new(ErrorClass::Auth, &e.to_string()))?;
                headers.insert(AUTHORIZATION, bearer);
            }
            let response = stream_of_events(&http, http.post(url, headers, body?).await?).await?;
            Ok(deltas(http.body(response), ResponsesDecoder::default(), max_event_bytes))
        };
        let key = request.key.clone();
        let deltas =
            answer.try_flatten_stream().map(move |item| item.map_err(|error| error.without(key.as_ref())));
        until_cancelled(deltas.boxed(), cancel)
    }
}

/// The response, if it is a stream of events; else the error it stands for.
async fn stream_of_events(http: &Http, response: Response) -> Result<Response, ProviderError> {
    let status = response.status();
    if !status.is_success() {
        let headers = response.headers().clone();
        return Err(errors::of_response(status.as_u16(), &headers, &http.error_body(response).await));
    }
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type {
        Some(other) if !other.trim_start().starts_with("text/event-stream") => {
            let message = format!("the provider answered with {other} instead of a stream of events");
            Err(ProviderError::new(ErrorClass::Protocol, &message))
        }
        Some(_) | None => Ok(response),
    }
}
