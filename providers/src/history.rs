//! Shapes a conversation for a model: cuts it to the context, tags what other models said, joins what belongs together.

use slipstream_domain::Role;
use slipstream_domain::event::HistoryCut;

use crate::{ChatRequest, Model, Turn};

/// Added to the system prompt when another model's words are in the history.
const TAG_NOTE: &str = "Earlier assistant messages that begin with a line such as [provider/model] were written by that \
                        other model. Never write such a line yourself.";

/// Tokens kept for the answer when neither the request nor the catalogue says how many it may have.
const DEFAULT_ANSWER: u64 = 4096;

/// Tokens a vendor adds around each message.
const PER_MESSAGE: u64 = 4;

/// A guess at the tokens of a text, without a tokenizer: a quarter of its UTF-8 bytes, rounded up. English has about
/// four bytes a token in the vendors' tokenizers, CJK about one three-byte character, so this errs by less than half.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    text.len().div_ceil(4) as u64
}

/// Cuts the history to the model's context: oldest first, whole messages, until the rest begins with a user message and
/// fits beside the system prompt and the answer. The system prompt and the last message always stay; if those alone do
/// not fit, the vendor refuses. Without a known context nothing is cut.
#[must_use]
pub fn fit(request: &mut ChatRequest) -> Option<HistoryCut> {
    let budget =
        input_budget(&request.model, request.params.max_tokens.map(|tokens| u64::from(tokens.get())))?;
    let fixed = request.system.as_deref().map_or(0, estimate_tokens) + estimate_tokens(TAG_NOTE);
    let mut total = fixed + request.history.iter().map(cost).sum::<u64>();
    if total <= budget {
        return None;
    }
    let last = request.history.len().saturating_sub(1);
    let mut dropped = 0;
    while dropped < last && (total > budget || matches!(request.history[dropped], Turn::Assistant { .. })) {
        total -= cost(&request.history[dropped]);
        dropped += 1;
    }
    request.history.drain(..dropped);
    (dropped > 0).then(|| HistoryCut { turns_dropped: u32::try_from(dropped).unwrap_or(u32::MAX) })
}

/// What of the context is left for the input: all but the answer, which gets at most half.
fn input_budget(model: &Model, max_tokens: Option<u64>) -> Option<u64> {
    let context = model.context?;
    let answer = [max_tokens, model.max_output].into_iter().flatten().min().unwrap_or(DEFAULT_ANSWER);
    Some(context - answer.min(context / 2))
}

fn cost(turn: &Turn) -> u64 {
    estimate_tokens(turn.text()) + PER_MESSAGE
}

/// A message as the vendor gets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// The system prompt and the messages for a vendor that is told by a `[provider/model]` line who spoke. Neighbouring
/// user messages become one (edits and queued prompts leave several).
pub(crate) fn tagged_by_line(request: &ChatRequest) -> (Option<String>, Vec<Message>) {
    let mut messages: Vec<Message> = Vec::with_capacity(request.history.len());
    let mut tagged = false;
    for turn in &request.history {
        match turn {
            Turn::User { text } => match messages.last_mut() {
                Some(Message { role: Role::User, text: before }) => {
                    before.push_str("\n\n");
                    before.push_str(text);
                }
                Some(Message { role: Role::Assistant, .. }) | None => {
                    messages.push(Message { role: Role::User, text: text.clone() });
                }
            },
            Turn::Assistant { provider, model, text } => {
                let own = *provider == request.model.provider && *model == request.model.id;
                tagged |= !own;
                let text = if own { text.clone() } else { format!("[{provider}/{model}]\n{text}") };
                messages.push(Message { role: Role::Assistant, text });
            }
        }
    }
    let system = match (request.system.as_deref(), tagged) {
        (Some(system), true) => Some(format!("{system}\n\n{TAG_NOTE}")),
        (None, true) => Some(TAG_NOTE.to_owned()),
        (system, false) => system.map(str::to_owned),
    };
    (system, messages)
}
