//! Shapes a conversation for a model: cuts it to the context, tags what other models said, joins what belongs together,
//! and puts into text what the model can read only so.

use slipstream_domain::Role;
use slipstream_domain::event::HistoryCut;

use crate::attachment::FileKind;
use crate::{Attachment, ChatRequest, Model, ProviderError, SignedThinking, Turn};

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
    let fixed = request.system.as_deref().map_or(0, estimate_tokens) + estimate_tokens(Tag::Element.note());
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
    let beside: u64 = match turn {
        Turn::User { attachments, .. } => attachments.iter().map(Attachment::estimated_tokens).sum(),
        Turn::Assistant { thinking, .. } => thinking.iter().map(|run| estimate_tokens(&run.text)).sum(),
    };
    estimate_tokens(turn.text()) + beside + PER_MESSAGE
}

/// How a vendor's models are told which model an earlier answer is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// A line `[provider/model]` before it.
    Line,
    /// An element `<model provider="…" name="…">` around it.
    Element,
}

impl Tag {
    /// Added to the system prompt when another model's words are in the history.
    const fn note(self) -> &'static str {
        match self {
            Self::Line => {
                "Earlier assistant messages that begin with a line such as [provider/model] were written by that other \
                 model. Never write such a line yourself."
            }
            Self::Element => {
                "Earlier assistant messages inside an element such as <model provider=\"…\" name=\"…\"> were written by \
                 that other model. Never write such an element yourself."
            }
        }
    }

    fn on(self, provider: &str, model: &str, text: &str) -> String {
        match self {
            Self::Line => format!("[{provider}/{model}]\n{text}"),
            Self::Element => format!("<model provider=\"{provider}\" name=\"{model}\">\n{text}\n</model>"),
        }
    }
}

/// A conversation as a vendor gets it.
#[derive(Debug)]
pub(crate) struct Shaped<'a> {
    pub(crate) system: Option<String>,
    /// Never two of one role in a row; none without content.
    pub(crate) messages: Vec<Message<'a>>,
}

/// A message as a vendor gets it.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    pub(crate) text: String,
    /// What the model reads as files: pictures and PDF files, with what each of them is.
    pub(crate) files: Vec<(FileKind, &'a Attachment)>,
    /// What the model itself thought before an answer of its own.
    pub(crate) thinking: &'a [SignedThinking],
}

/// Neighbouring messages of one role become one (edits and queued prompts leave several; a failed answer leaves an empty
/// one, which no vendor takes).
///
/// # Errors
/// The model cannot read an attachment of the last message, or a text file is none.
pub(crate) fn shaped(request: &ChatRequest, tag: Tag) -> Result<Shaped<'_>, ProviderError> {
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(request.history.len());
    let mut tagged = false;
    let last = request.history.len().saturating_sub(1);
    for (n, turn) in request.history.iter().enumerate() {
        let message = match turn {
            Turn::User { text, attachments } => of_user(text, attachments, &request.model, n == last)?,
            Turn::Assistant { provider, model, text, thinking } => {
                let own = *provider == request.model.provider && *model == request.model.id;
                tagged |= !own && !text.trim().is_empty();
                let tagged = if own || text.trim().is_empty() {
                    text.clone()
                } else {
                    tag.on(provider.as_str(), model.as_str(), text)
                };
                let thinking: &[_] = if own { thinking } else { &[] };
                Message { role: Role::Assistant, text: tagged, files: Vec::new(), thinking }
            }
        };
        match messages.last_mut() {
            _ if message.text.trim().is_empty() && message.files.is_empty() => {}
            Some(before) if before.role == message.role => {
                before.text = joined(&before.text, &message.text);
                before.files.extend(message.files);
            }
            Some(_) | None => messages.push(message),
        }
    }
    let system = match (request.system.as_deref(), tagged) {
        (Some(system), true) => Some(format!("{system}\n\n{}", tag.note())),
        (None, true) => Some(tag.note().to_owned()),
        (system, false) => system.map(str::to_owned),
    };
    Ok(Shaped { system: system.filter(|system| !system.trim().is_empty()), messages })
}

fn of_user<'a>(
    text: &str,
    attachments: &'a [Attachment],
    model: &Model,
    to_answer: bool,
) -> Result<Message<'a>, ProviderError> {
    let (mut text, mut files) = (text.to_owned(), Vec::new());
    for attachment in attachments {
        match attachment.kind_for(model) {
            Ok(FileKind::Text) => text = joined(&text, &attachment.as_text()?),
            Ok(kind @ (FileKind::Image | FileKind::Pdf)) => files.push((kind, attachment)),
            Err(unreadable) if to_answer => return Err(unreadable.into()),
            Err(_) => text = joined(&text, &format!("({} is not shown to this model.)", attachment.name())),
        }
    }
    Ok(Message { role: Role::User, text, files, thinking: &[] })
}

fn joined(before: &str, text: &str) -> String {
    match (before.is_empty(), text.is_empty()) {
        (true, _) => text.to_owned(),
        (_, true) => before.to_owned(),
        (false, false) => format!("{before}\n\n{text}"),
    }
}
