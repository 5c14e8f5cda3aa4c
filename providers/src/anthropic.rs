//! Anthropic's Messages API: `POST {base}/v1/messages`, `x-api-key`, `anthropic-version: 2023-06-01`.
//!
//! Formats after Anthropic's documentation ("Messages", "Streaming messages", "Extended thinking", "Web search tool",
//! "Errors").

mod blocks;
mod body;
mod events;
mod rounds;

use reqwest::Url;
use slipstream_domain::ProviderId;
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::base_url::BaseUrl;
use crate::http::Http;
use crate::{ChatRequest, DeltaStream, Model, Provider};
#[cfg(any(test, fuzzing))]
pub(crate) use events::MessagesDecoder;

/// The longest picture and PDF file that go with a request: 5 MB for a picture, 32 MB for a whole request.
const INLINE_IMAGE: u64 = 5_000_000;
const INLINE_PDF: u64 = 22_000_000;

/// The adapter.
#[derive(Debug)]
pub(crate) struct Anthropic {
    id: ProviderId,
    http: Http,
    url: Url,
}

impl Anthropic {
    /// Where Anthropic is, unless a setting says otherwise.
    pub(crate) const BASE_URL: &str = "https://api.anthropic.com";
    /// The version path of its API.
    pub(crate) const VERSION: &str = "v1";

    pub(crate) fn new(id: ProviderId, http: Http, base: &BaseUrl) -> Self {
        Self { id, http, url: base.operation("messages") }
    }
}

impl Provider for Anthropic {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        rounds::stream(self.http.clone(), self.url.clone(), request, cancel)
    }

    fn takes_thinking(&self, model: &Model) -> bool {
        body::takes_thinking(model)
    }

    fn intake(&self, kind: FileKind) -> Intake {
        Intake::url_or_inline(if kind == FileKind::Image { INLINE_IMAGE } else { INLINE_PDF })
    }
}
