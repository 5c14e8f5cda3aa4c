//! The stream of chat completions: chunks in, deltas out. It ends with `[DONE]`; without it, it was cut.
//!
//! Read as loosely as servers write: reasoning is `reasoning_content` (`DeepSeek`, xAI, v0, vLLM) or `reasoning`
//! (`OpenRouter`, Groq, Ollama); usage is in a chunk of its own without choices, in the last one with choices, in every one,
//! or in `x_groq`; sources are `annotations` of a delta or `citations` of a chunk.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;
use slipstream_domain::FinishReason;

use crate::decode::{Decoder, Progress, Repeats, citation, parsed};
use crate::fault::Fault;
use crate::usage::Counts;
use crate::{Delta, ProviderError};

/// What has to be remembered between chunks.
#[derive(Debug, Default)]
pub(crate) struct ChatDecoder {
    thought: Repeats,
    refused: bool,
    finish: Option<FinishReason>,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    x_groq: Option<Groq>,
    citations: Option<Vec<String>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    delta: Option<Message>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Message {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
struct Annotation {
    url_citation: Option<UrlCitation>,
}

#[derive(Deserialize)]
struct UrlCitation {
    url: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct Groq {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl Decoder for ChatDecoder {
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError> {
        if data.trim() == "[DONE]" {
            deltas.push_back(Delta::Finish { reason: self.reason() });
            return Ok(Progress::Finished);
        }
        let Chunk { choices, usage, x_groq, citations, error } = parsed(data)?;
        if let Some(error) = error {
            return Err(Fault::from(error).in_band());
        }
        for choice in choices.into_iter().flatten().filter(|choice| choice.index == 0) {
            self.choice(choice, deltas);
        }
        let sources = citations.into_iter().flatten().filter_map(|url| citation(Some(url), None));
        deltas.extend(sources);
        let usage = usage.or_else(|| x_groq.and_then(|groq| groq.usage));
        deltas.extend(usage.map(Usage::delta));
        Ok(Progress::More)
    }
}

impl ChatDecoder {
    fn choice(&mut self, choice: Choice, deltas: &mut VecDeque<Delta>) {
        let Message { content, reasoning_content, reasoning, refusal, annotations } =
            choice.delta.unwrap_or_default();
        let thought = reasoning_content.or(reasoning).and_then(|piece| self.thought.without(piece));
        deltas.extend(thought.map(Delta::Thinking));
        deltas.extend(content.map(Delta::Text));
        if let Some(refusal) = refusal.filter(|words| !words.is_empty()) {
            self.refused = true;
            deltas.push_back(Delta::Text(refusal));
        }
        let sources = annotations.into_iter().flatten().filter_map(|annotation| annotation.url_citation);
        deltas.extend(sources.filter_map(|source| citation(source.url, source.title)));
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            self.finish = Some(reason(word));
        }
    }

    fn reason(&mut self) -> FinishReason {
        match self.finish.take() {
            Some(FinishReason::Stop) if self.refused => FinishReason::Refusal,
            Some(reason) => reason,
            None => FinishReason::Other("none".to_owned()),
        }
    }
}

fn reason(word: String) -> FinishReason {
    match word.as_str() {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        "tool_calls" | "function_call" => FinishReason::ToolUse,
        _ => FinishReason::Other(word),
    }
}

impl Usage {
    fn delta(self) -> Delta {
        let counts = Counts {
            input: self.prompt_tokens.unwrap_or(0),
            cached: self.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            output: self.completion_tokens.unwrap_or(0),
            reasoning: self
                .completion_tokens_details
                .and_then(|details| details.reasoning_tokens)
                .unwrap_or(0),
            total: self.total_tokens,
        };
        Delta::Usage(counts.usage())
    }
}
