//! The request body of chat completions.

use serde_json::{Map, Value, json};
use slipstream_domain::Role;

use super::Dialect;
use crate::attachment::FileKind;
use crate::body::Put;
use crate::history::{Message, Tag, shaped};
use crate::{ChatRequest, ProviderError};

/// The body.
pub(super) fn body(request: &ChatRequest, dialect: Dialect) -> Result<Value, ProviderError> {
    let mut body = Map::new();
    body.put("model", Some(request.model.id.as_str()));
    body.put("stream", Some(true));
    // Without it the stream ends without usage.
    body.put("stream_options", Some(json!({ "include_usage": true })));
    body.put("messages", Some(messages(request)?));
    if dialect == Dialect::Compatible {
        body.put("temperature", request.temperature());
        body.put("top_p", request.top_p());
        // Older than `max_completion_tokens`, and known to every one of these servers.
        body.put("max_tokens", request.max_tokens());
        body.put("reasoning_effort", request.effort());
    }
    Ok(Value::Object(body))
}

/// The conversation, its standing instructions first.
///
/// # Errors
/// A file the model cannot read, or one in a form that does not exist here.
pub(crate) fn messages(request: &ChatRequest) -> Result<Vec<Value>, ProviderError> {
    let conversation = shaped(request, Tag::Line)?;
    let system = conversation.system.map(|system| Ok(json!({ "role": "system", "content": system })));
    system.into_iter().chain(conversation.messages.iter().map(message)).collect()
}

fn message(message: &Message<'_>) -> Result<Value, ProviderError> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    if message.files.is_empty() {
        return Ok(json!({ "role": role, "content": message.text }));
    }
    let mut parts = Vec::with_capacity(message.files.len() + 1);
    if !message.text.is_empty() {
        parts.push(json!({ "type": "text", "text": message.text }));
    }
    for (kind, attachment) in &message.files {
        match kind {
            FileKind::Image => {
                parts.push(json!({ "type": "image_url", "image_url": { "url": attachment.as_url()? } }));
            }
            FileKind::Pdf | FileKind::Text => return Err(attachment.wrong_form()),
        }
    }
    Ok(json!({ "role": role, "content": parts }))
}
