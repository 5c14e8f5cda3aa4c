//! Google's Gemini API: `POST {base}/v1beta/models/{model}:streamGenerateContent?alt=sse` for chats and for models that
//! make pictures in an answer, `:predict` for Imagen, the Files API for large files; `x-goog-api-key`.
//!
//! Formats after Google's reference ("Generating content", "Thinking", "Grounding with Google Search", "Imagen", "Files",
//! "Troubleshooting").

mod body;
mod events;
mod files;
mod imagen;

use reqwest::Url;
use reqwest::header::HeaderName;
use slipstream_domain::{ModelId, ProviderId};
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::base_url::BaseUrl;
use crate::exchange::{Exchange, ask, ask_once};
use crate::http::Http;
use crate::provider::Uploading;
use crate::{ApiKey, Attachment, ChatRequest, DeltaStream, Model, Provider, ThinkingControl};
pub(crate) use events::GeminiDecoder;

const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// The longest file that goes with a request. A request is 20 MB at most, base64 makes a third more of a file, and a
/// conversation may have several.
const INLINE: u64 = 4 * 1024 * 1024;

/// The adapter.
#[derive(Debug)]
pub(crate) struct Gemini {
    id: ProviderId,
    http: Http,
    base: BaseUrl,
}

impl Gemini {
    /// Where the Gemini API is, unless a setting says otherwise.
    pub(crate) const BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";
    /// The version path of its API.
    pub(crate) const VERSION: &str = "v1beta";

    pub(crate) const fn new(id: ProviderId, http: Http, base: BaseUrl) -> Self {
        Self { id, http, base }
    }

    fn method(&self, model: &ModelId, method: &str) -> Url {
        self.base.operation(&format!("models/{model}:{method}"))
    }
}

impl Provider for Gemini {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let (model, key) = (&request.model.id, request.key.as_ref());
        if model.as_str().starts_with("imagen") {
            let url = self.method(model, "predict");
            let exchange = imagen::body(request).and_then(|body| Exchange::keyed(url, API_KEY, key, body));
            return ask_once(&self.http, exchange, imagen::read, key, cancel);
        }
        let mut url = self.method(model, "streamGenerateContent");
        url.set_query(Some("alt=sse"));
        let exchange = body::body(request).and_then(|body| Exchange::keyed(url, API_KEY, key, body));
        ask(&self.http, exchange, GeminiDecoder::default(), key, cancel)
    }

    /// From version 3 on; before, answers without calls of functions have no proofs ("Thought signatures").
    fn takes_thinking(&self, model: &Model) -> bool {
        matches!(model.thinking, Some(ThinkingControl::Effort { .. }))
    }

    fn intake(&self, _: FileKind) -> Intake {
        Intake { url: false, inline: Some(INLINE), upload: true }
    }

    fn upload<'a>(&'a self, key: Option<&'a ApiKey>, file: &'a Attachment) -> Uploading<'a> {
        Box::pin(files::upload(self.http.patient(), &self.base, key, file))
    }
}
