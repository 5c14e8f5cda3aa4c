//! The blocks of a message, as they are sent back: thinking with its proof, and an unfinished answer as it came.

use serde_json::{Value, json};

use crate::SignedThinking;
use crate::decode::FURTHER;

/// Before the proof of thinking that Anthropic encrypted instead of showing it. A signature proper is base64, without `:`.
const REDACTED: &str = "redacted:";

/// How encrypted thinking is kept: as a proof without words.
pub(super) fn redacted_signature(data: &str) -> String {
    format!("{REDACTED}{data}")
}

/// Runs of thinking, unchanged: without the blank lines that were put between them for their readers, or their proofs
/// would not hold.
pub(super) fn thinking_blocks(runs: &[SignedThinking]) -> Vec<Value> {
    let mut first = true;
    let block = |run: &SignedThinking| {
        let between = if first { "" } else { FURTHER };
        let text = run.text.strip_prefix(between).unwrap_or(&run.text);
        first &= run.text.is_empty();
        match run.signature.strip_prefix(REDACTED) {
            Some(data) => json!({ "type": "redacted_thinking", "data": data }),
            None => json!({ "type": "thinking", "thinking": text, "signature": run.signature }),
        }
    };
    runs.iter().map(block).collect()
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
    fn thinking_goes_back_as_it_came_without_what_was_put_between_its_runs() {
        let run =
            |text: &str, signature: &str| SignedThinking { text: text.into(), signature: signature.into() };
        let runs =
            [run("", "redacted:eA=="), run("so", "c2ln"), run("\n\nthen", "c2lnMg=="), run("", "c2lnMw==")];
        let expected = [
            json!({ "type": "redacted_thinking", "data": "eA==" }),
            json!({ "type": "thinking", "thinking": "so", "signature": "c2ln" }),
            json!({ "type": "thinking", "thinking": "then", "signature": "c2lnMg==" }),
            json!({ "type": "thinking", "thinking": "", "signature": "c2lnMw==" }),
        ];
        assert_eq!(thinking_blocks(&runs), expected);
    }

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
