//! The stream of the Responses API, OpenAI's and xAI's: events in, deltas out. An answer may hold several output items, so its end is the
//! terminal event, never the end of an item.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Value, json};
use slipstream_domain::FinishReason;

use crate::decode::{Decoder, Progress, Repeats, citation, continued, parsed, picture};
use crate::fault::Fault;
use crate::usage::Counts;
use crate::{Delta, ProviderError, Tool, ToolState};

/// What has to be remembered between events.
#[derive(Debug, Default)]
pub(crate) struct ResponsesDecoder {
    /// Where the last text came from; text from elsewhere begins a new paragraph.
    text_at: Option<Place>,
    /// The same for reasoning.
    thinking_at: Option<Place>,
    thought: Repeats,
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
    /// Documented as flat; seen with the fields inside `error` too.
    #[serde(rename = "error")]
    Error { error: Option<Value>, message: Option<String>, code: Option<Value> },
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
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct IncompleteDetails {
    reason: Option<String>,
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
        let event: Event = parsed(data)?;
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
            Event::Error { error: Some(error), .. } => return Err(Fault::from(error).in_band()),
            Event::Error { error: None, message, code } => {
                return Err(Fault::from(json!({ "message": message, "code": code })).in_band());
            }
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
        let delta = self.thought.without(delta)?;
        continued(&mut self.thinking_at, place, delta).map(Delta::Thinking)
    }
}

impl Annotation {
    fn citation(self) -> Option<Delta> {
        citation(self.url.filter(|_| self.kind == "url_citation"), self.title)
    }
}

impl Item {
    fn image(self) -> Result<Option<Delta>, ProviderError> {
        let Some(result) = self.result.filter(|_| self.kind == "image_generation_call") else {
            return Ok(None);
        };
        let mime = match self.output_format.as_deref() {
            Some("jpeg") => "image/jpeg",
            Some("webp") => "image/webp",
            Some(_) | None => "image/png",
        };
        picture(mime, &result).map(Some)
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
        let counts = Counts {
            input: self.input_tokens,
            cached: self.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            output: self.output_tokens,
            reasoning: self.output_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0),
            total: self.total_tokens,
        };
        Delta::Usage(counts.usage())
    }
}
