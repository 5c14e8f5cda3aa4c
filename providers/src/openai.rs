//! OpenAI: chats by the Responses API (`POST {base}/v1/responses`), pictures by the Images API
//! (`POST {base}/v1/images/generations`), both with `Authorization: Bearer`.
//!
//! Formats after OpenAI's API reference ("Responses", "Streaming events", "Images", "Error codes").

use reqwest::Url;
use serde_json::{Map, Value, json};
use slipstream_domain::ProviderId;
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::base_url::BaseUrl;
use crate::body::Put;
use crate::exchange::{Exchange, ask, ask_once};
use crate::http::Http;
use crate::images::{self, ImagesDecoder};
use crate::responses::{self, Dialect};
use crate::{Capability, ChatRequest, DeltaStream, Provider};

/// The longest file that goes with a request. OpenAI takes 50 MB in all; base64 makes a third more of a file.
const INLINE: u64 = 32 * 1024 * 1024;

/// The shapes of `gpt-image-1`.
const GPT_SIZES: [(u32, u32, &str); 3] =
    [(1024, 1024, "1024x1024"), (1536, 1024, "1536x1024"), (1024, 1536, "1024x1536")];
/// The shapes of `dall-e-3`; `dall-e-2` has the first only.
const DALL_E_SIZES: [(u32, u32, &str); 3] =
    [(1024, 1024, "1024x1024"), (1792, 1024, "1792x1024"), (1024, 1792, "1024x1792")];

/// The adapter.
#[derive(Debug)]
pub(crate) struct OpenAi {
    id: ProviderId,
    http: Http,
    responses: Url,
    images: Url,
}

impl OpenAi {
    /// Where OpenAI is, unless a setting says otherwise.
    pub(crate) const BASE_URL: &str = "https://api.openai.com/v1";
    /// The version path of its API.
    pub(crate) const VERSION: &str = "v1";

    pub(crate) fn new(id: ProviderId, http: Http, base: &BaseUrl) -> Self {
        let (responses, images) = (base.operation("responses"), base.operation("images/generations"));
        Self { id, http, responses, images }
    }

    fn draw(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let key = request.key.as_ref();
        let streams = request.model.id.as_str().starts_with("gpt-image");
        let body = images::prompt(request).map(|prompt| picture_body(request, prompt, streams));
        let exchange = body.and_then(|body| Exchange::bearer(self.images.clone(), key, body));
        if streams {
            ask(&self.http.patient(), exchange, ImagesDecoder, key, cancel)
        } else {
            ask_once(&self.http, exchange, images::read_png, key, cancel)
        }
    }
}

/// Pictures of `dall-e` come as base64 only when asked for; those of `gpt-image` always do.
fn picture_body(request: &ChatRequest, prompt: &str, streams: bool) -> Value {
    let model = request.model.id.as_str();
    let sizes = match model {
        "dall-e-2" => &DALL_E_SIZES[..1],
        "dall-e-3" => &DALL_E_SIZES,
        _ => &GPT_SIZES,
    };
    let mut body = Map::new();
    body.put("model", Some(model));
    body.put("prompt", Some(prompt));
    body.put("n", Some(1));
    body.put("size", request.nearest_shape(sizes));
    if streams {
        body.put("stream", Some(true));
        body.put("partial_images", Some(1));
    } else {
        body.put("response_format", Some("b64_json"));
    }
    json!(body)
}

impl Provider for OpenAi {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        if request.model.can(Capability::Chat) {
            responses::stream(&self.http, self.responses.clone(), Dialect::OpenAi, request, cancel)
        } else {
            self.draw(request, cancel)
        }
    }

    fn intake(&self, _: FileKind) -> Intake {
        Intake::url_or_inline(INLINE)
    }
}
