//! The blocks of a message, as they are sent back: thinking with its proof, and an unfinished answer as it came.

use serde_json::{Value, json};

use crate::SignedThinking;

/// Before the proof of thinking that Anthropic encrypted instead of showing it. A signature proper is base64, without `:`.
const REDACTED: &str = "redacted:";

/// How encrypted thinking is kept: as a proof without words.
pub(super) fn redacted_signature(data: &str) -> String {
    format!("{REDACTED}{data}")
}

/// A run of thinking, unchanged.
pub(super) fn thinking_block(run: &SignedThinking) -> Value {
    match run.signature.strip_prefix(REDACTED) {
        Some(data) => json!({ "type": "redacted_thinking", "data": data }),
        None => json!({ "type": "thinking", "thinking": run.text, "signature": run.signature }),
    }
}

/// Words.
pub(super) fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The blocks of an answer so far, put together again.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Value>,
    /// A tool's input comes as pieces of JSON.
    input: String,
}

impl Blocks {
    pub(super) fn start(&mut self, block: &Value) {
        self.blocks.push(block.clone());
    }

    /// One delta of the last block.
    pub(super) fn extend(&mut self, delta: &Value) {
        let Some(block) = self.blocks.last_mut() else { return };
        for field in ["text", "thinking", "signature"] {
            if let Some(more) = delta[field].as_str() {
                let before = block[field].as_str().unwrap_or_default();
                block[field] = format!("{before}{more}").into();
            }
        }
        if let Some(citation) = delta.get("citation") {
            match block["citations"].as_array_mut() {
                Some(citations) => citations.push(citation.clone()),
                None => block["citations"] = json!([citation]),
            }
        }
        self.input.push_str(delta["partial_json"].as_str().unwrap_or_default());
    }

    pub(super) fn stop(&mut self) {
        let input = std::mem::take(&mut self.input);
        if let (Some(block), Ok(input)) = (self.blocks.last_mut(), serde_json::from_str::<Value>(&input)) {
            block["input"] = input;
        }
    }

    pub(super) fn take(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_answer_is_put_together_as_the_vendor_would_have_sent_it_whole() {
        let mut blocks = Blocks::default();
        blocks.start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
        blocks.extend(&json!({ "type": "thinking_delta", "thinking": "so" }));
        blocks.extend(&json!({ "type": "signature_delta", "signature": "c2ln" }));
        blocks.stop();
        blocks.start(&json!({ "type": "server_tool_use", "id": "s1", "name": "web_search", "input": {} }));
        blocks.extend(&json!({ "type": "input_json_delta", "partial_json": "{\"query\":" }));
        blocks.extend(&json!({ "type": "input_json_delta", "partial_json": "\"rust\"}" }));
        blocks.stop();
        blocks.start(&json!({ "type": "text", "text": "" }));
        blocks.extend(&json!({ "type": "text_delta", "text": "It is " }));
        blocks.extend(&json!({ "type": "citations_delta", "citation": { "url": "https://x" } }));
        blocks.extend(&json!({ "type": "text_delta", "text": "so." }));
        blocks.stop();
        let expected = [
            json!({ "type": "thinking", "thinking": "so", "signature": "c2ln" }),
            json!({ "type": "server_tool_use", "id": "s1", "name": "web_search", "input": { "query": "rust" } }),
            json!({ "type": "text", "text": "It is so.", "citations": [{ "url": "https://x" }] }),
        ];
        assert_eq!(blocks.take(), expected);
    }
}
