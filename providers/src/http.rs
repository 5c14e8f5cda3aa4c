//! The one HTTP client, pooled over all adapters, and its time-outs. Knows no vendor.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Response, Url, redirect};
use slipstream_domain::ErrorClass;

use crate::ProviderError;

/// The most bytes of an error body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How long to wait for a vendor, and how much of it to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSettings {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// From the request to the response's headers.
    pub first_byte: Duration,
    /// Between two reads of the body. Any byte counts, a keep-alive comment too.
    pub silence: Duration,
    /// In place of both where a vendor works on something long before it says anything: a picture, an uploaded file.
    pub work: Duration,
    /// Bytes read without a complete event before the stream is given up. A finished picture comes in one event.
    pub max_event_bytes: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_mins(1),
            silence: Duration::from_mins(1),
            work: Duration::from_mins(3),
            max_event_bytes: 16 * 1024 * 1024,
        }
    }
}

/// Where the caller is in a trace, as the header `traceparent` of W3C's Trace Context (level 1) says it; `None` outside of
/// one. Asked in the span that sends the request.
pub type Traceparent = fn() -> Option<String>;

/// A shared client. Cloning shares its connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    pub(crate) settings: HttpSettings,
    traceparent: Option<Traceparent>,
}

impl Http {
    /// Redirects are not followed: an API has no reason to send a key elsewhere.
    pub(crate) fn new(
        settings: HttpSettings,
        traceparent: Option<Traceparent>,
    ) -> Result<Self, reqwest::Error> {
        // An error says that the process has chosen its cryptography already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .user_agent(concat!("slipstream/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { client, settings, traceparent })
    }

    /// The same client for what takes a vendor long.
    pub(crate) fn patient(&self) -> Self {
        let work = self.settings.work;
        Self {
            client: self.client.clone(),
            traceparent: self.traceparent,
            settings: HttpSettings { first_byte: work, silence: work, ..self.settings },
        }
    }

    /// Posts JSON and waits for the response's headers, whatever its status.
    pub(crate) async fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        json: Vec<u8>,
    ) -> Result<Response, ProviderError> {
        let mut all = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        all.extend(headers);
        self.send(Method::POST, url, all, json).await
    }

    /// Sends anything and waits for the response's headers, whatever its status.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: impl Into<Body>,
    ) -> Result<Response, ProviderError> {
        let mut headers = headers;
        headers.extend(self.trace().map(|trace| (TRACEPARENT, trace)));
        let request = self.client.request(method, url).headers(headers).body(body);
        match tokio::time::timeout(self.settings.first_byte, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(network(&error)),
            Err(_) => Err(timed_out("the provider did not answer", self.settings.first_byte)),
        }
    }

    fn trace(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.traceparent?()?).ok()
    }

    /// The bytes of a body as they come. Dropping the stream closes the connection.
    pub(crate) fn body(
        &self,
        response: Response,
    ) -> impl Stream<Item = Result<Bytes, ProviderError>> + Send + use<> {
        let silence = self.settings.silence;
        stream::unfold(Box::pin(response.bytes_stream()), move |mut body| async move {
            let item = match tokio::time::timeout(silence, body.next()).await {
                Ok(item) => item?.map_err(|error| network(&error)),
                Err(_) => Err(timed_out("the provider fell silent", silence)),
            };
            Some((item, body))
        })
    }

    /// The beginning of an error body, as far as it comes within the allowed silence.
    pub(crate) async fn error_body(&self, response: Response) -> Vec<u8> {
        let mut read = Vec::new();
        let reading = async {
            let mut body = response.bytes_stream();
            while let Some(Ok(chunk)) = body.next().await {
                let room = MAX_ERROR_BODY - read.len();
                read.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if read.len() == MAX_ERROR_BODY {
                    break;
                }
            }
        };
        // Late or not: what has been read is the answer.
        tokio::time::timeout(self.settings.silence, reading).await.ok();
        read
    }
}

fn timed_out(what: &str, after: Duration) -> ProviderError {
    ProviderError::new(ErrorClass::Timeout, &format!("{what} within {} ms", after.as_millis()))
}

/// The innermost cause says most ("connection refused"); the outer ones would name the URL.
fn network(error: &reqwest::Error) -> ProviderError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() {
        return ProviderError::new(ErrorClass::Timeout, "connecting to the provider took too long");
    }
    let cause = if error.source().is_some() { cause.to_string() } else { "no cause given".to_owned() };
    ProviderError::new(ErrorClass::Network, &format!("the connection to the provider failed: {cause}"))
}
