//! The stream of the Llama API: `start`, `progress`…, `complete` with the stop reason, then `metrics` with the usage. It
//! has no terminal event: an answer is whole when its `complete` has come.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;
use slipstream_domain::FinishReason;

use crate::decode::{Decoder, Progress, cut, parsed};
use crate::fault::Fault;
use crate::usage::Counts;
use crate::{Delta, ProviderError};

/// What has to be remembered between events.
#[derive(Debug, Default)]
pub(crate) struct LlamaDecoder {
    finish: Option<FinishReason>,
}

/// One event; an error comes without `event`.
#[derive(Deserialize)]
struct Envelope {
    event: Option<Event>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event_type")]
    kind: String,
    #[serde(default)]
    delta: Piece,
    stop_reason: Option<String>,
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Default, Deserialize)]
struct Piece {
    #[serde(default, rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Metric {
    metric: String,
    value: f64,
}

impl Decoder for LlamaDecoder {
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError> {
        let Envelope { event, error } = parsed(data)?;
        if let Some(error) = error {
            return Err(Fault::from(error).in_band());
        }
        let Some(event) = event else { return Ok(Progress::More) };
        if event.delta.kind == "text" {
            deltas.extend(event.delta.text.map(Delta::Text));
        }
        if event.kind == "complete" {
            self.finish = Some(reason(event.stop_reason));
        }
        deltas.extend(usage(&event.metrics));
        Ok(Progress::More)
    }

    fn end(&mut self, deltas: &mut VecDeque<Delta>) -> Result<(), ProviderError> {
        let reason = self.finish.take().ok_or_else(cut)?;
        deltas.push_back(Delta::Finish { reason });
        Ok(())
    }
}

fn reason(word: Option<String>) -> FinishReason {
    match word.as_deref() {
        Some("stop") => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some("tool_calls") => FinishReason::ToolUse,
        Some(_) | None => FinishReason::Other(word.unwrap_or_else(|| "none".to_owned())),
    }
}

fn usage(metrics: &[Metric]) -> Option<Delta> {
    let tokens =
        |name: &str| metrics.iter().find(|metric| metric.metric == name).map(|metric| count(metric.value));
    let (input, output) = (tokens("num_prompt_tokens"), tokens("num_completion_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let counts = Counts {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        total: tokens("num_total_tokens"),
        ..Counts::default()
    };
    Some(Delta::Usage(counts.usage()))
}

/// A count that is written as a number of any form.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and NaN becomes 0"
)]
const fn count(value: f64) -> u64 {
    value as u64
}
