//! The stream of `streamGenerateContent`: responses in, deltas out. It has no terminal event: an answer is whole when its
//! finish reason has come, and ends with the body.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;
use slipstream_domain::{ErrorClass, FinishReason};

use crate::decode::{Decoder, Progress, citation, cut, parsed, picture};
use crate::fault::Fault;
use crate::usage::Counts;
use crate::{Delta, ProviderError};

/// What has to be remembered between responses.
#[derive(Debug, Default)]
pub(crate) struct GeminiDecoder {
    finish: Option<FinishReason>,
    /// Each response repeats the counts so far.
    counted: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    index: u64,
    #[serde(default)]
    content: Content,
    finish_reason: Option<String>,
    grounding_metadata: Option<Grounding>,
    citation_metadata: Option<Citations>,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    #[serde(default)]
    thought: bool,
    thought_signature: Option<String>,
    inline_data: Option<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    mime_type: String,
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grounding {
    #[serde(default)]
    grounding_chunks: Vec<GroundingChunk>,
}

#[derive(Deserialize)]
struct GroundingChunk {
    web: Option<Web>,
}

#[derive(Deserialize)]
struct Web {
    uri: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Citations {
    #[serde(default)]
    citation_sources: Vec<Web>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

/// Thinking and what a tool fed the model are counted beside the answer and the prompt.
#[derive(Deserialize)]
struct Usage {
    #[serde(default, rename = "promptTokenCount")]
    prompt: u64,
    #[serde(default, rename = "cachedContentTokenCount")]
    cached: u64,
    #[serde(default, rename = "candidatesTokenCount")]
    candidates: u64,
    #[serde(default, rename = "thoughtsTokenCount")]
    thoughts: u64,
    #[serde(default, rename = "toolUsePromptTokenCount")]
    tools: u64,
    #[serde(rename = "totalTokenCount")]
    total: Option<u64>,
}

impl Decoder for GeminiDecoder {
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError> {
        let Response { candidates, prompt_feedback, usage_metadata, error } = parsed(data)?;
        if let Some(error) = error {
            return Err(Fault::from(error).in_band());
        }
        for candidate in candidates.into_iter().filter(|candidate| candidate.index == 0) {
            self.candidate(candidate, deltas)?;
        }
        let counts = usage_metadata.map(Usage::counts);
        if let Some(counts) = counts.filter(|counts| self.counted.replace(*counts) != Some(*counts)) {
            deltas.push_back(Delta::Usage(counts.usage()));
        }
        match prompt_feedback.and_then(|feedback| feedback.block_reason) {
            Some(reason) => {
                let message = format!("the provider does not answer this prompt ({reason})");
                Err(ProviderError::new(ErrorClass::ContentFiltered, &message))
            }
            None => Ok(Progress::More),
        }
    }

    fn end(&mut self, deltas: &mut VecDeque<Delta>) -> Result<(), ProviderError> {
        let reason = self.finish.take().ok_or_else(cut)?;
        deltas.push_back(Delta::Finish { reason });
        Ok(())
    }
}

impl GeminiDecoder {
    fn candidate(&mut self, candidate: Candidate, deltas: &mut VecDeque<Delta>) -> Result<(), ProviderError> {
        for part in candidate.content.parts {
            deltas.extend(
                part.text.map(|text| if part.thought { Delta::Thinking(text) } else { Delta::Text(text) }),
            );
            deltas.extend(part.thought_signature.map(Delta::ThinkingSignature));
            if let Some(blob) = part.inline_data {
                deltas.push_back(picture(&blob.mime_type, &blob.data)?);
            }
        }
        let grounded =
            candidate.grounding_metadata.into_iter().flat_map(|grounding| grounding.grounding_chunks);
        let cited = candidate.citation_metadata.into_iter().flat_map(|citations| citations.citation_sources);
        let sources = grounded.filter_map(|chunk| chunk.web).chain(cited);
        deltas.extend(sources.filter_map(|source| citation(source.uri, source.title)));
        if let Some(word) = candidate.finish_reason.filter(|word| word != "FINISH_REASON_UNSPECIFIED") {
            self.finish = Some(reason(word));
        }
        Ok(())
    }
}

fn reason(word: String) -> FinishReason {
    match word.as_str() {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Other(word),
    }
}

impl Usage {
    const fn counts(self) -> Counts {
        Counts {
            input: self.prompt.saturating_add(self.tools),
            cached: self.cached,
            output: self.candidates.saturating_add(self.thoughts),
            reasoning: self.thoughts,
            total: self.total,
        }
    }
}
