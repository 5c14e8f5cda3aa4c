//! One request and its answer: sends it, refuses what is no answer, and hands the body to the vendor's reader.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use serde_json::Value;
use slipstream_domain::ErrorClass;
use tokio_util::sync::CancellationToken;

use crate::decode::{Decoder, cleaned, deltas, protocol};
use crate::delta::until_cancelled;
use crate::fault::Fault;
use crate::http::Http;
use crate::{ApiKey, Delta, DeltaStream, KeyError, ProviderError};

/// A request of an adapter. JSON both ways, and the answer a stream of events or one JSON document.
pub(crate) struct Exchange {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Reads a whole JSON answer.
pub(crate) type ReadWhole = fn(&[u8]) -> Result<Vec<Delta>, ProviderError>;

impl Exchange {
    /// With the key in `Authorization: Bearer`.
    pub(crate) fn bearer(url: Url, key: Option<&ApiKey>, body: Value) -> Result<Self, ProviderError> {
        Self::with_key(url, AUTHORIZATION, key.map(ApiKey::bearer), body)
    }

    /// With the bare key in a header of this name.
    pub(crate) fn keyed(
        url: Url,
        name: HeaderName,
        key: Option<&ApiKey>,
        body: Value,
    ) -> Result<Self, ProviderError> {
        Self::with_key(url, name, key.map(ApiKey::bare), body)
    }

    fn with_key(
        url: Url,
        name: HeaderName,
        key: Option<Result<HeaderValue, KeyError>>,
        body: Value,
    ) -> Result<Self, ProviderError> {
        let key = key.transpose().map_err(|e| ProviderError::new(ErrorClass::Auth, &e.to_string()))?;
        let headers = key.map(|value| (name, value)).into_iter().collect();
        Ok(Self { url, headers, body })
    }
}

/// Asks, and reads the answer as a stream of events. Lazy; `key` is kept out of every error.
pub(crate) fn ask<D: Decoder>(
    http: &Http,
    exchange: Result<Exchange, ProviderError>,
    decoder: D,
    key: Option<&ApiKey>,
    cancel: CancellationToken,
) -> DeltaStream {
    let http = http.clone();
    let answer = async move {
        let response = sent(&http, exchange?, "text/event-stream").await?;
        Ok(deltas(http.body(response), decoder, http.settings.max_event_bytes))
    };
    guarded(answer.try_flatten_stream().boxed(), key, cancel)
}

/// Asks, and reads the answer as one JSON document, for which the vendor may work long. Lazy; `key` is kept out of every error.
pub(crate) fn ask_once(
    http: &Http,
    exchange: Result<Exchange, ProviderError>,
    read: ReadWhole,
    key: Option<&ApiKey>,
    cancel: CancellationToken,
) -> DeltaStream {
    let http = http.patient();
    let answer = async move {
        let response = sent(&http, exchange?, "application/json").await?;
        let deltas: VecDeque<_> = read(&answered(&http, response).await?)?.into();
        Ok(stream::iter(deltas.into_iter().filter_map(cleaned).map(Ok)))
    };
    guarded(answer.try_flatten_stream().boxed(), key, cancel)
}

fn guarded(
    deltas: BoxStream<'static, Result<Delta, ProviderError>>,
    key: Option<&ApiKey>,
    cancel: CancellationToken,
) -> DeltaStream {
    let key = key.cloned();
    until_cancelled(deltas.map_err(move |error| error.without(key.as_ref())).boxed(), cancel)
}

/// The response, if it is of the media type asked for; else the error it stands for.
async fn sent(http: &Http, exchange: Exchange, wanted: &'static str) -> Result<Response, ProviderError> {
    let Exchange { url, mut headers, body } = exchange;
    headers.insert(ACCEPT, HeaderValue::from_static(wanted));
    let response = accepted(http, http.post(url, headers, body.to_string().into_bytes()).await?).await?;
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type {
        Some(other) if !other.trim_start().starts_with(wanted) => {
            Err(protocol(&format!("the provider answered with {other} instead of {wanted}")))
        }
        Some(_) | None => Ok(response),
    }
}

/// The response, if it is one of success; else the error it stands for.
async fn accepted(http: &Http, response: Response) -> Result<Response, ProviderError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let headers = response.headers().clone();
    Err(Fault::of_response(status.as_u16(), &headers, &http.error_body(response).await))
}

/// All of the body of a response of success, within the bound of one event; else the error it stands for.
pub(crate) async fn answered(http: &Http, response: Response) -> Result<Vec<u8>, ProviderError> {
    let response = accepted(http, response).await?;
    let mut read = Vec::new();
    let mut body = std::pin::pin!(http.body(response));
    while let Some(chunk) = body.next().await {
        let chunk: Bytes = chunk?;
        let most = http.settings.max_event_bytes;
        if read.len() + chunk.len() > most {
            return Err(protocol(&format!("the provider's answer is longer than {most} bytes")));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}
