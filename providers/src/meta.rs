//! Meta's Llama API: `POST {base}/v1/chat/completions`, `Authorization: Bearer`. Asked like chat completions, answered in
//! a form of its own.
//!
//! Formats after the Llama API's reference ("Chat completion", "Streaming") and its SDKs.

mod events;

use reqwest::Url;
use serde_json::{Map, Value};
use slipstream_domain::ProviderId;
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::base_url::BaseUrl;
use crate::body::Put;
use crate::chat_completions::messages;
use crate::exchange::{Exchange, ask};
use crate::http::Http;
use crate::{ChatRequest, DeltaStream, Provider, ProviderError};
pub(crate) use events::LlamaDecoder;

/// The longest request of the Llama API is 25 MB; base64 makes a third more of a file.
const INLINE: u64 = 16 * 1024 * 1024;

/// The adapter.
#[derive(Debug)]
pub(crate) struct Meta {
    id: ProviderId,
    http: Http,
    url: Url,
}

impl Meta {
    /// Where the Llama API is, unless a setting says otherwise.
    pub(crate) const BASE_URL: &str = "https://api.llama.com/v1";
    /// The version path of its API.
    pub(crate) const VERSION: &str = "v1";

    pub(crate) fn new(id: ProviderId, http: Http, base: &BaseUrl) -> Self {
        Self { id, http, url: base.operation("chat/completions") }
    }
}

fn body(request: &ChatRequest) -> Result<Value, ProviderError> {
    let mut body = Map::new();
    body.put("model", Some(request.model.id.as_str()));
    body.put("stream", Some(true));
    body.put("messages", Some(messages(request)?));
    body.put("temperature", request.temperature());
    body.put("top_p", request.top_p());
    body.put("max_completion_tokens", request.max_tokens());
    Ok(Value::Object(body))
}

impl Provider for Meta {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let key = request.key.as_ref();
        let exchange = body(request).and_then(|body| Exchange::bearer(self.url.clone(), key, body));
        ask(&self.http, exchange, LlamaDecoder::default(), key, cancel)
    }

    fn intake(&self, _: FileKind) -> Intake {
        Intake::url_or_inline(INLINE)
    }
}
