//! Chat completions, `POST {base}/chat/completions`: the format OpenAI began and everybody speaks. The core of Vercel's
//! v0 and of every OpenAI-compatible endpoint (Ollama, vLLM, LM Studio, `LiteLLM`).

mod body;
mod events;

use reqwest::Url;
use slipstream_domain::ProviderId;
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::base_url::BaseUrl;
use crate::exchange::{Exchange, ask};
use crate::http::Http;
use crate::{ChatRequest, DeltaStream, Provider};
pub(crate) use body::messages;
pub(crate) use events::ChatDecoder;

/// Whose. They differ in what a request may hold, not in how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// v0's Model API. It documents neither sampling nor length.
    V0,
    /// What compatible servers have in common.
    Compatible,
}

/// The adapter.
#[derive(Debug)]
pub(crate) struct ChatCompletions {
    id: ProviderId,
    http: Http,
    url: Url,
    dialect: Dialect,
}

impl ChatCompletions {
    /// Where v0 is, unless a setting says otherwise.
    pub(crate) const V0_BASE_URL: &str = "https://api.v0.dev/v1";
    /// The version path of both.
    pub(crate) const VERSION: &str = "v1";

    pub(crate) fn new(id: ProviderId, http: Http, base: &BaseUrl, dialect: Dialect) -> Self {
        Self { id, http, url: base.operation("chat/completions"), dialect }
    }
}

impl Provider for ChatCompletions {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let key = request.key.as_ref();
        let exchange =
            body::body(request, self.dialect).and_then(|body| Exchange::bearer(self.url.clone(), key, body));
        ask(&self.http, exchange, ChatDecoder::default(), key, cancel)
    }

    /// v0 documents base64 only, and a server of the operator's may see no network of ours: files go with the request.
    fn intake(&self, _: FileKind) -> Intake {
        Intake::inline(8 * 1024 * 1024)
    }
}
