//! Pictures by the Images API, as OpenAI and xAI speak it: `{data:[{b64_json}]}`, or events that end with one.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;
use slipstream_domain::{ErrorClass, FinishReason};

use crate::decode::{Decoder, Progress, parsed, picture, protocol};
use crate::fault::Fault;
use crate::usage::Counts;
use crate::{ChatRequest, Delta, ProviderError, Tool, ToolState, Turn};

/// What the picture is to show: the last message.
///
/// # Errors
/// There is none, or it comes with files, which these models are not given.
pub(crate) fn prompt(request: &ChatRequest) -> Result<&str, ProviderError> {
    let refused = |why: &str| Err(ProviderError::new(ErrorClass::InvalidRequest, why));
    match request.history.last() {
        Some(Turn::User { text, attachments }) if attachments.is_empty() && !text.trim().is_empty() => {
            Ok(text)
        }
        Some(Turn::User { attachments, .. }) if !attachments.is_empty() => {
            refused("this model makes pictures from words alone, without files")
        }
        Some(_) | None => refused("a picture needs words to be made from"),
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Datum>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Datum {
    b64_json: String,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(rename = "input_tokens")]
    input: u64,
    #[serde(rename = "output_tokens")]
    output: u64,
    #[serde(rename = "total_tokens")]
    total: Option<u64>,
}

impl Usage {
    fn delta(self) -> Delta {
        let Self { input, output, total } = self;
        Delta::Usage(Counts { input, output, total, ..Counts::default() }.usage())
    }
}

/// A whole answer whose pictures are PNG files.
pub(crate) fn read_png(body: &[u8]) -> Result<Vec<Delta>, ProviderError> {
    read(body, "image/png")
}

/// A whole answer whose pictures are JPEG files.
pub(crate) fn read_jpeg(body: &[u8]) -> Result<Vec<Delta>, ProviderError> {
    read(body, "image/jpeg")
}

fn read(body: &[u8], mime: &str) -> Result<Vec<Delta>, ProviderError> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| protocol("the provider sent pictures of an unknown form"))?;
    let mut deltas =
        answer.data.iter().map(|datum| picture(mime, &datum.b64_json)).collect::<Result<Vec<_>, _>>()?;
    deltas.extend(answer.usage.map(Usage::delta));
    deltas.push(Delta::Finish { reason: FinishReason::Stop });
    Ok(deltas)
}

/// The stream of OpenAI's Images API. Unfinished pictures only tell that it is at work.
#[derive(Debug, Default)]
pub(crate) struct ImagesDecoder;

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "image_generation.partial_image")]
    Partial,
    #[serde(rename = "image_generation.completed")]
    Completed { b64_json: String, output_format: Option<String>, usage: Option<Usage> },
    #[serde(rename = "error")]
    Error { error: Value },
    #[serde(other)]
    Unknown,
}

impl Decoder for ImagesDecoder {
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError> {
        match parsed(data)? {
            Event::Partial => {
                deltas
                    .push_back(Delta::ToolStatus { tool: Tool::ImageGeneration, state: ToolState::Running });
                Ok(Progress::More)
            }
            Event::Completed { b64_json, output_format, usage } => {
                let mime = format!("image/{}", output_format.as_deref().unwrap_or("png"));
                deltas.push_back(picture(&mime, &b64_json)?);
                deltas.extend(usage.map(Usage::delta));
                deltas.push_back(Delta::Finish { reason: FinishReason::Stop });
                Ok(Progress::Finished)
            }
            Event::Error { error } => Err(Fault::from(error).in_band()),
            Event::Unknown => Ok(Progress::More),
        }
    }
}
