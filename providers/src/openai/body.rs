//! The request body of the Responses API, with only what the model supports.

use serde::Serialize;
use slipstream_domain::{ErrorClass, Role};

use crate::history::tagged_by_line;
use crate::{Capability, ChatRequest, ProviderError, UserLocation};

/// The API refuses a smaller `max_output_tokens`.
const MIN_OUTPUT_TOKENS: u64 = 16;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    store: bool,
    stream_options: StreamOptions,
    truncation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<InputMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    /// Padding of every event against traffic analysis; TLS to the vendor's own host does without.
    include_obfuscation: bool,
}

#[derive(Serialize)]
struct InputMessage {
    role: Role,
    content: String,
}

#[derive(Serialize)]
struct Reasoning {
    effort: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tool<'a> {
    WebSearch {
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Location<'a>>,
    },
}

#[derive(Serialize)]
struct Location<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
}

/// The body as JSON.
pub(super) fn json(request: &ChatRequest) -> Result<Vec<u8>, ProviderError> {
    serde_json::to_vec(&body(request)).map_err(|e| ProviderError::new(ErrorClass::Internal, &e.to_string()))
}

fn body(request: &ChatRequest) -> Body<'_> {
    let model = &request.model;
    let reasons = model.can(Capability::Thinking);
    let (instructions, messages) = tagged_by_line(request);
    let max_output = model.max_output.unwrap_or(u64::MAX).max(MIN_OUTPUT_TOKENS);
    Body {
        model: model.id.as_str(),
        stream: true,
        store: false,
        stream_options: StreamOptions { include_obfuscation: false },
        truncation: "auto",
        instructions,
        input: messages.into_iter().map(|m| InputMessage { role: m.role, content: m.text }).collect(),
        // Reasoning models refuse both.
        temperature: request.params.temperature.filter(|_| !reasons).map(slipstream_domain::Temperature::get),
        top_p: request.params.top_p.filter(|_| !reasons).map(slipstream_domain::TopP::get),
        max_output_tokens: request
            .params
            .max_tokens
            .map(|tokens| u64::from(tokens.get()).clamp(MIN_OUTPUT_TOKENS, max_output)),
        reasoning: reasons.then(|| reasoning(request.thinking)),
        tools: if request.web_search && model.can(Capability::Search) {
            vec![web_search(request)]
        } else {
            Vec::new()
        },
    }
}

/// Reasoning cannot be switched off for all of these models; without thinking it is kept short and not shown.
fn reasoning(thinking: bool) -> Reasoning {
    if thinking {
        Reasoning { effort: "medium", summary: Some("auto") }
    } else {
        Reasoning { effort: "low", summary: None }
    }
}

fn web_search(request: &ChatRequest) -> Tool<'_> {
    Tool::WebSearch { user_location: request.user_location.as_ref().and_then(location) }
}

fn location(of: &UserLocation) -> Option<Location<'_>> {
    let country =
        of.country.as_deref().filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()));
    let location = Location {
        r#type: "approximate",
        city: of.city.as_deref(),
        region: of.region.as_deref(),
        country,
        timezone: of.timezone.as_deref(),
    };
    let known = [location.city, location.region, location.country, location.timezone];
    known.iter().any(Option::is_some).then_some(location)
}
