//! The request body of the Messages API, with only what the model supports.

use serde_json::{Map, Value, json};
use slipstream_domain::Role;

use super::blocks::{text_block, thinking_blocks};
use crate::attachment::{FileKind, base64};
use crate::body::Put;
use crate::catalogue::ThinkingControl;
use crate::history::{Message, Tag, shaped};
use crate::{Attachment, ChatRequest, Model, ProviderError, Source, UserLocation};

/// For a model whose limit is not known; the field is required.
const USUAL_MAX_TOKENS: u64 = 4096;

/// Searches in one answer. Each costs money; a question seldom needs more.
const MAX_SEARCHES: u64 = 5;

/// The body.
pub(super) fn body(request: &ChatRequest) -> Result<Value, ProviderError> {
    let max_tokens = request.max_tokens().or(request.model.max_output).unwrap_or(USUAL_MAX_TOKENS);
    let budget = request.thinking_budget(max_tokens);
    let conversation = shaped(request, Tag::Element)?;
    let messages = conversation.messages.iter().map(|m| message(m, budget.is_some()));
    let mut body = Map::new();
    body.put("model", Some(request.model.id.as_str()));
    body.put("max_tokens", Some(max_tokens));
    body.put("stream", Some(true));
    body.put("system", conversation.system);
    body.put("messages", Some(messages.collect::<Result<Vec<_>, _>>()?));
    let thinking = thinking(request, budget);
    // With thinking the API refuses both ways of sampling; without it newer models take one of the two only. Its scale of
    // temperatures ends at 1, others' at 2.
    let sampled = Some(request).filter(|_| thinking.is_none());
    let temperature = sampled.and_then(ChatRequest::temperature).map(|temperature| temperature.min(1.0));
    body.put("top_p", sampled.and_then(ChatRequest::top_p).filter(|_| temperature.is_none()));
    body.put("temperature", temperature);
    body.put("thinking", thinking);
    body.put("tools", request.searches().then(|| json!([web_search(request)])));
    Ok(Value::Object(body))
}

/// A model that thinks by itself shows nothing of it unless asked to.
fn thinking(request: &ChatRequest, budget: Option<u64>) -> Option<Value> {
    match request.model.thinking.as_ref().filter(|_| request.thinking)? {
        ThinkingControl::Adaptive => Some(json!({ "type": "adaptive", "display": "summarized" })),
        ThinkingControl::Budget { .. } => {
            budget.map(|tokens| json!({ "type": "enabled", "budget_tokens": tokens }))
        }
        ThinkingControl::Effort { .. } => None,
    }
}

fn web_search(request: &ChatRequest) -> Value {
    let mut tool = Map::new();
    tool.put("type", Some("web_search_20250305"));
    tool.put("name", Some("web_search"));
    tool.put("max_uses", Some(MAX_SEARCHES));
    tool.put("user_location", request.user_location.as_ref().and_then(UserLocation::approximate));
    Value::Object(tool)
}

/// Thinking of earlier answers goes back only to models that think within a budget. To later ones it is bound: what came
/// before it must be as it was then ("Preserved thinking"), and here a history is cut and tagged.
pub(super) fn takes_thinking(model: &Model) -> bool {
    matches!(model.thinking, Some(ThinkingControl::Budget { .. }))
}

/// Thinking means nothing to a model that does not think now.
fn message(message: &Message<'_>, thinks: bool) -> Result<Value, ProviderError> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let thinking = if thinks { thinking_blocks(message.thinking) } else { Vec::new() };
    let files = message.files.iter().map(|(kind, attachment)| file(*kind, attachment));
    let mut content = thinking.into_iter().map(Ok).chain(files).collect::<Result<Vec<_>, ProviderError>>()?;
    if content.is_empty() {
        return Ok(json!({ "role": role, "content": message.text }));
    }
    if !message.text.is_empty() {
        content.push(text_block(&message.text));
    }
    Ok(json!({ "role": role, "content": content }))
}

fn file(kind: FileKind, attachment: &Attachment) -> Result<Value, ProviderError> {
    let kind = match kind {
        FileKind::Image => "image",
        FileKind::Pdf => "document",
        FileKind::Text => return Err(attachment.wrong_form()),
    };
    let source = match &attachment.source {
        Source::Url(url) => json!({ "type": "url", "url": url }),
        Source::Inline(bytes) => {
            json!({ "type": "base64", "media_type": attachment.mime, "data": base64(bytes) })
        }
        Source::Uploaded(_) => return Err(attachment.wrong_form()),
    };
    Ok(json!({ "type": kind, "source": source }))
}
