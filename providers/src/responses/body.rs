//! The request body of the Responses API, with only what the vendor and the model support.

use serde_json::{Map, Value, json};
use slipstream_domain::Role;

use super::Dialect;
use crate::attachment::FileKind;
use crate::body::Put;
use crate::history::{Message, Tag, shaped};
use crate::{Attachment, Capability, ChatRequest, ProviderError, Source, UserLocation};

/// OpenAI refuses a smaller `max_output_tokens`.
const MIN_OUTPUT_TOKENS: u64 = 16;

/// The body.
pub(super) fn body(request: &ChatRequest, dialect: Dialect) -> Result<Value, ProviderError> {
    let conversation = shaped(request, Tag::Line)?;
    let input = conversation.messages.iter().map(item).collect::<Result<Vec<_>, _>>()?;
    let mut body = Map::new();
    body.put("model", Some(request.model.id.as_str()));
    body.put("stream", Some(true));
    body.put("store", Some(false));
    if dialect == Dialect::OpenAi {
        body.put("truncation", Some("auto"));
        // Padding of every event against traffic analysis; TLS to the vendor's own host does without.
        body.put("stream_options", Some(json!({ "include_obfuscation": false })));
    }
    body.put("instructions", conversation.system);
    body.put("input", Some(input));
    body.put("temperature", request.temperature());
    body.put("top_p", request.top_p());
    body.put("max_output_tokens", request.max_tokens().map(|tokens| tokens.max(MIN_OUTPUT_TOKENS)));
    body.put("reasoning", reasoning(request, dialect));
    body.put("tools", request.searches().then(|| tools(request, dialect)));
    Ok(Value::Object(body))
}

/// OpenAI summarises the reasoning only when asked; xAI sends what it has.
fn reasoning(request: &ChatRequest, dialect: Dialect) -> Option<Value> {
    let effort = request.effort();
    let shows = request.thinking && request.model.can(Capability::Thinking);
    let mut reasoning = Map::new();
    reasoning.put("effort", effort);
    reasoning.put("summary", (shows && dialect == Dialect::OpenAi).then_some("auto"));
    (!reasoning.is_empty()).then_some(Value::Object(reasoning))
}

fn tools(request: &ChatRequest, dialect: Dialect) -> Value {
    let mut search = Map::new();
    search.put("type", Some("web_search"));
    match dialect {
        Dialect::OpenAi => {
            search.put("user_location", request.user_location.as_ref().and_then(UserLocation::approximate));
            json!([search])
        }
        Dialect::Xai => json!([search, { "type": "x_search" }]),
    }
}

fn item(message: &Message<'_>) -> Result<Value, ProviderError> {
    if message.files.is_empty() {
        return Ok(json!({ "role": role(message.role), "content": message.text }));
    }
    let mut parts = Vec::with_capacity(message.files.len() + 1);
    for (kind, attachment) in &message.files {
        parts.push(file(*kind, attachment)?);
    }
    if !message.text.is_empty() {
        parts.push(json!({ "type": "input_text", "text": message.text }));
    }
    Ok(json!({ "role": role(message.role), "content": parts }))
}

fn file(kind: FileKind, attachment: &Attachment) -> Result<Value, ProviderError> {
    match (kind, &attachment.source) {
        (FileKind::Image | FileKind::Pdf, Source::Uploaded(_)) | (FileKind::Text, _) => {
            Err(attachment.wrong_form())
        }
        (FileKind::Image, Source::Url(_) | Source::Inline(_)) => {
            Ok(json!({ "type": "input_image", "image_url": attachment.as_url()?, "detail": "auto" }))
        }
        (FileKind::Pdf, Source::Url(url)) => Ok(json!({ "type": "input_file", "file_url": url })),
        (FileKind::Pdf, Source::Inline(_)) => {
            let name = attachment.filename.as_deref().unwrap_or("document.pdf");
            Ok(json!({ "type": "input_file", "filename": name, "file_data": attachment.as_url()? }))
        }
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}
