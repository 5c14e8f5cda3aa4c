//! The stream of the Responses API: events in, deltas out. An answer may hold several output items, so its end is the
//! terminal event, never the end of an item.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use slipstream_domain::{Citation, ErrorClass, FinishReason, TokenUsage, UsageSource};

use super::errors::ApiError;
use crate::decode::{Decoder, Progress};
use crate::{Delta, ProviderError, Tool, ToolState};

/// What has to be remembered between events.
#[derive(Debug, Default)]
pub(super) struct ResponsesDecoder {
    /// Where the last text came from; text from elsewhere begins a new paragraph.
    text_at: Option<Place>,
    /// The same for reasoning.
    thinking_at: Option<Place>,
    refused: bool,
}

/// An output item and a part within it. The parts of a reasoning summary and of a reasoning text are counted apart.
type Place = (u64, PartKind, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Content,
    Summary,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_text.delta")]
    Text(ContentDelta),
    #[serde(rename = "response.refusal.delta")]
    Refusal(ContentDelta),
    #[serde(rename = "response.reasoning_text.delta")]
    ReasoningText(ContentDelta),
    #[serde(rename = "response.reasoning_summary_text.delta")]
    ReasoningSummary(SummaryDelta),
    #[serde(rename = "response.output_text.annotation.added")]
    Annotation { annotation: Annotation },
    #[serde(rename = "response.web_search_call.in_progress")]
    SearchStarted,
    #[serde(rename = "response.web_search_call.searching")]
    SearchRunning,
    #[serde(rename = "response.web_search_call.completed")]
    SearchCompleted,
    #[serde(rename = "response.image_generation_call.in_progress")]
    ImageStarted,
    #[serde(rename = "response.image_generation_call.generating")]
    ImageRunning,
    #[serde(rename = "response.image_generation_call.completed")]
    ImageCompleted,
    /// Carries the finished picture; `image_generation_call.completed` does not.
    #[serde(rename = "response.output_item.done")]
    ItemDone { item: Item },
    #[serde(rename = "response.completed")]
    Completed { response: Response },
    #[serde(rename = "response.incomplete")]
    Incomplete { response: Response },
    #[serde(rename = "response.failed")]
    Failed { response: Response },
    #[serde(rename = "error")]
    Error(ErrorEvent),
    /// Everything else, known or to come: partial pictures, `…done` repeats, life-cycle events.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct ContentDelta {
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    content_index: u64,
    delta: String,
}

#[derive(Deserialize)]
struct SummaryDelta {
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    summary_index: u64,
    delta: String,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    result: Option<String>,
    output_format: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<Usage>,
    incomplete_details: Option<IncompleteDetails>,
    error: Option<ApiError>,
}

#[derive(Deserialize)]
struct IncompleteDetails {
    reason: Option<String>,
}

/// Documented as flat; seen with the fields inside `error` too.
#[derive(Deserialize)]
struct ErrorEvent {
    error: Option<ApiError>,
    #[serde(flatten)]
    flat: ApiError,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u64,
    input_tokens_details: Option<InputDetails>,
    output_tokens: u64,
    output_tokens_details: Option<OutputDetails>,
    total_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Decoder for ResponsesDecoder {
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError> {
        let event: Event = serde_json::from_str(data).map_err(|_| unreadable(data))?;
        let tool = |tool, state| Some(Delta::ToolStatus { tool, state });
        let delta = match event {
            Event::Text(part) => self.text(part),
            Event::Refusal(part) => {
                self.refused = true;
                self.text(part)
            }
            Event::ReasoningText(ContentDelta { output_index, content_index, delta }) => {
                self.thinking((output_index, PartKind::Content, content_index), delta)
            }
            Event::ReasoningSummary(SummaryDelta { output_index, summary_index, delta }) => {
                self.thinking((output_index, PartKind::Summary, summary_index), delta)
            }
            Event::Annotation { annotation } => annotation.citation(),
            Event::SearchStarted => tool(Tool::WebSearch, ToolState::Started),
            Event::SearchRunning => tool(Tool::WebSearch, ToolState::Running),
            Event::SearchCompleted => tool(Tool::WebSearch, ToolState::Completed),
            Event::ImageStarted => tool(Tool::ImageGeneration, ToolState::Started),
            Event::ImageRunning => tool(Tool::ImageGeneration, ToolState::Running),
            Event::ImageCompleted => tool(Tool::ImageGeneration, ToolState::Completed),
            Event::ItemDone { item } => item.image()?,
            Event::Completed { response } => {
                let reason = if self.refused { FinishReason::Refusal } else { FinishReason::Stop };
                return Ok(response.finish(reason, deltas));
            }
            Event::Incomplete { response } => {
                let reason = response.incomplete_reason();
                return Ok(response.finish(reason, deltas));
            }
            Event::Failed { response } => {
                deltas.extend(response.usage.map(Usage::delta));
                return Err(response.error.unwrap_or_default().in_band());
            }
            Event::Error(event) => return Err(event.error.unwrap_or(event.flat).in_band()),
            Event::Unknown => None,
        };
        deltas.extend(delta);
        Ok(Progress::More)
    }
}

impl ResponsesDecoder {
    fn text(&mut self, part: ContentDelta) -> Option<Delta> {
        let place = (part.output_index, PartKind::Content, part.content_index);
        continued(&mut self.text_at, place, part.delta).map(Delta::Text)
    }

    fn thinking(&mut self, place: Place, delta: String) -> Option<Delta> {
        continued(&mut self.thinking_at, place, delta).map(Delta::Thinking)
    }
}

/// `delta`, after a blank line when it is the first of a further part.
fn continued(last: &mut Option<Place>, place: Place, delta: String) -> Option<String> {
    if delta.is_empty() {
        return None;
    }
    match last.replace(place) {
        Some(before) if before != place => Some(format!("\n\n{delta}")),
        Some(_) | None => Some(delta),
    }
}

impl Annotation {
    /// Only web addresses: a client turns them into links.
    fn citation(self) -> Option<Delta> {
        let url = self.url.filter(|url| self.kind == "url_citation" && is_web_address(url))?;
        Some(Delta::Citation(Citation { url, title: self.title.filter(|title| !title.is_empty()) }))
    }
}

fn is_web_address(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

impl Item {
    fn image(self) -> Result<Option<Delta>, ProviderError> {
        let Some(result) = self.result.filter(|_| self.kind == "image_generation_call") else {
            return Ok(None);
        };
        let bytes = STANDARD
            .decode(result)
            .map_err(|_| protocol("the provider sent a picture that is not base64"))?;
        let mime = match self.output_format.as_deref() {
            Some("jpeg") => "image/jpeg",
            Some("webp") => "image/webp",
            Some(_) | None => "image/png",
        };
        Ok(Some(Delta::Image { mime: mime.to_owned(), bytes: bytes.into() }))
    }
}

impl Response {
    fn incomplete_reason(&self) -> FinishReason {
        let reason = self.incomplete_details.as_ref().and_then(|details| details.reason.as_deref());
        match reason {
            Some("max_output_tokens" | "max_tokens") => FinishReason::Length,
            Some("content_filter") => FinishReason::ContentFilter,
            Some(other) => FinishReason::Other(other.to_owned()),
            None => FinishReason::Other("incomplete".to_owned()),
        }
    }

    fn finish(self, reason: FinishReason, deltas: &mut VecDeque<Delta>) -> Progress {
        deltas.extend(self.usage.map(Usage::delta));
        deltas.push_back(Delta::Finish { reason });
        Progress::Finished
    }
}

impl Usage {
    fn delta(self) -> Delta {
        Delta::Usage(TokenUsage {
            input: self.input_tokens,
            cached_input: self.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            output: self.output_tokens,
            reasoning: self.output_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0),
            total: self.total_tokens.unwrap_or_else(|| self.input_tokens.saturating_add(self.output_tokens)),
            source: UsageSource::Provider,
        })
    }
}

fn protocol(message: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Protocol, message)
}

/// Names the kind of event, never its content, which may be a user's text.
fn unreadable(data: &str) -> ProviderError {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    match serde_json::from_str::<Kind>(data) {
        Ok(Kind { kind }) => protocol(&format!("the provider sent an event {kind} of an unknown form")),
        Err(_) => protocol("the provider sent an event that is not JSON with a type"),
    }
}
