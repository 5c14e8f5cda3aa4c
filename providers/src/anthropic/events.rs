//! The stream of the Messages API: events in, deltas out. It ends with `message_stop`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use slipstream_domain::FinishReason;

use super::blocks::{Blocks, redacted_signature};
use crate::decode::{Decoder, Progress, citation, continued, parsed};
use crate::fault::Fault;
use crate::usage::Counts;
use crate::{Delta, ProviderError, Tool, ToolState};

/// What has to be remembered between events.
#[derive(Debug, Default)]
pub(crate) struct MessagesDecoder {
    /// Text that follows a search begins a new paragraph; texts that only a source divides do not.
    text_at: Option<u64>,
    thinking_at: Option<u64>,
    /// How many tools have been used so far.
    tools: u64,
    /// Told at the end only: its first count of the output is that of a beginning, with which a cut answer would seem to
    /// have cost nothing.
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    /// What would be sent back if the answer paused; none when it cannot.
    kept: Option<(Blocks, Paused)>,
}

/// Where the blocks of an answer that was paused are left for whoever goes on with it.
pub(super) type Paused = Arc<Mutex<Vec<Value>>>;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        #[serde(default)]
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        #[serde(default)]
        index: u64,
        delta: Value,
    },
    ContentBlockStop,
    MessageDelta {
        delta: Stop,
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, and whatever is to come.
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

/// Split over `message_start` (input) and `message_delta` (output, cumulative); a later number replaces an earlier one.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Usage {
    /// What was neither read from the vendor's cache nor written to it.
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "cache_creation_input_tokens")]
    written: Option<u64>,
    #[serde(rename = "cache_read_input_tokens")]
    cached: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
    },
    RedactedThinking {
        data: String,
    },
    ServerToolUse,
    WebSearchToolResult,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    CitationsDelta {
        citation: Cited,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Cited {
    url: Option<String>,
    title: Option<String>,
}

impl Decoder for MessagesDecoder {
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError> {
        match parsed(data)? {
            Event::MessageStart { message } => self.counted(message.usage),
            Event::ContentBlockStart { index, content_block } => {
                self.keep(|blocks| blocks.start(&content_block));
                deltas.extend(self.started(index, known(&content_block)?));
            }
            Event::ContentBlockDelta { index, delta } => {
                self.keep(|blocks| blocks.extend(&delta));
                deltas.extend(self.piece(index, known(&delta)?));
            }
            Event::ContentBlockStop => self.keep(Blocks::stop),
            Event::MessageDelta { delta, usage } => {
                self.finish = delta.stop_reason.map(reason).or(self.finish.take());
                self.counted(usage);
            }
            Event::MessageStop => {
                deltas.extend(self.usage.take().map(Usage::delta));
                let reason = self.finish.take().unwrap_or_else(|| FinishReason::Other("none".to_owned()));
                if let Some((mut blocks, paused)) = self.kept.take().filter(|_| reason == FinishReason::Pause)
                {
                    *paused.lock().unwrap_or_else(PoisonError::into_inner) = blocks.take();
                }
                deltas.push_back(Delta::Finish { reason });
                return Ok(Progress::Finished);
            }
            Event::Error { error } => return Err(Fault::from(error).in_band()),
            Event::Unknown => {}
        }
        Ok(Progress::More)
    }
}

impl MessagesDecoder {
    /// Leaves the blocks of a paused answer in `paused`.
    pub(super) fn leaving(paused: Paused) -> Self {
        Self { kept: Some((Blocks::default(), paused)), ..Self::default() }
    }

    fn keep(&mut self, keep: impl FnOnce(&mut Blocks)) {
        if let Some((blocks, _)) = &mut self.kept {
            keep(blocks);
        }
    }

    fn started(&mut self, index: u64, block: Block) -> Option<Delta> {
        let tool = |state| Some(Delta::ToolStatus { tool: Tool::WebSearch, state });
        match block {
            Block::Text { text } => self.text(text),
            Block::Thinking { thinking } => self.thinking(index, thinking),
            Block::RedactedThinking { data } => Some(Delta::ThinkingSignature(redacted_signature(&data))),
            Block::ServerToolUse => {
                self.tools += 1;
                tool(ToolState::Started)
            }
            Block::WebSearchToolResult => tool(ToolState::Completed),
            Block::Unknown => None,
        }
    }

    fn piece(&mut self, index: u64, piece: Piece) -> Option<Delta> {
        match piece {
            Piece::TextDelta { text } => self.text(text),
            Piece::ThinkingDelta { thinking } => self.thinking(index, thinking),
            Piece::SignatureDelta { signature } => {
                (!signature.is_empty()).then_some(Delta::ThinkingSignature(signature))
            }
            Piece::CitationsDelta { citation: Cited { url, title } } => citation(url, title),
            Piece::Unknown => None,
        }
    }

    fn counted(&mut self, later: Option<Usage>) {
        let Some(later) = later else { return };
        let before = self.usage.unwrap_or_default();
        self.usage = Some(Usage {
            input: later.input.or(before.input),
            written: later.written.or(before.written),
            cached: later.cached.or(before.cached),
            output: later.output.or(before.output),
        });
    }

    fn text(&mut self, text: String) -> Option<Delta> {
        continued(&mut self.text_at, self.tools, text).map(Delta::Text)
    }

    fn thinking(&mut self, index: u64, thinking: String) -> Option<Delta> {
        continued(&mut self.thinking_at, index, thinking).map(Delta::Thinking)
    }
}

/// A block or a piece of one; what is new comes to `Unknown`, what is malformed to an error without its content.
fn known<T: DeserializeOwned>(value: &Value) -> Result<T, ProviderError> {
    parsed(&value.to_string())
}

fn reason(word: String) -> FinishReason {
    match word.as_str() {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolUse,
        "pause_turn" => FinishReason::Pause,
        "refusal" => FinishReason::Refusal,
        _ => FinishReason::Other(word),
    }
}

impl Usage {
    fn delta(self) -> Delta {
        let [input, written, cached, output] =
            [self.input, self.written, self.cached, self.output].map(Option::unwrap_or_default);
        let input = input.saturating_add(written).saturating_add(cached);
        Delta::Usage(Counts { input, cached, output, ..Counts::default() }.usage())
    }
}
