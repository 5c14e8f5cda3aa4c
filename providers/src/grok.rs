//! xAI: chats by its Responses API (`POST {base}/v1/responses`), pictures by its Images API
//! (`POST {base}/v1/images/generations`), both with `Authorization: Bearer`.
//!
//! Formats after xAI's API reference ("Responses API", "Image generations", "Debugging errors"). Search is by the tools
//! `web_search` and `x_search`; the older `search_parameters` are gone (410).

use reqwest::Url;
use serde_json::json;
use slipstream_domain::ProviderId;
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::base_url::BaseUrl;
use crate::exchange::{Exchange, ask_once};
use crate::http::Http;
use crate::images;
use crate::responses::{self, Dialect};
use crate::{Capability, ChatRequest, DeltaStream, Provider};

/// The longest picture xAI takes ("Image understanding").
const INLINE: u64 = 20 * 1024 * 1024;

/// The adapter.
#[derive(Debug)]
pub(crate) struct Grok {
    id: ProviderId,
    http: Http,
    responses: Url,
    images: Url,
}

impl Grok {
    /// Where xAI is, unless a setting says otherwise.
    pub(crate) const BASE_URL: &str = "https://api.x.ai/v1";
    /// The version path of its API.
    pub(crate) const VERSION: &str = "v1";

    pub(crate) fn new(id: ProviderId, http: Http, base: &BaseUrl) -> Self {
        let (responses, images) = (base.operation("responses"), base.operation("images/generations"));
        Self { id, http, responses, images }
    }

    /// Neither size nor quality can be chosen.
    fn draw(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let key = request.key.as_ref();
        let model = request.model.id.as_str();
        let body = images::prompt(request)
            .map(|prompt| json!({ "model": model, "prompt": prompt, "n": 1, "response_format": "b64_json" }));
        let exchange = body.and_then(|body| Exchange::bearer(self.images.clone(), key, body));
        ask_once(&self.http, exchange, images::read_jpeg, key, cancel)
    }
}

impl Provider for Grok {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        if request.model.can(Capability::Chat) {
            responses::stream(&self.http, self.responses.clone(), Dialect::Xai, request, cancel)
        } else {
            self.draw(request, cancel)
        }
    }

    fn intake(&self, _: FileKind) -> Intake {
        Intake::url_or_inline(INLINE)
    }
}
