//! The request body of `generateContent`, with only what the model supports.

use serde_json::{Map, Value, json};
use slipstream_domain::Role;

use crate::attachment::base64;
use crate::body::Put;
use crate::catalogue::ThinkingControl;
use crate::history::{Message, Tag, shaped};
use crate::{Attachment, Capability, ChatRequest, ProviderError, Source};

/// "As much as the question needs" (the API's own value for that).
const DYNAMIC: i64 = -1;

/// The body.
pub(super) fn body(request: &ChatRequest) -> Result<Value, ProviderError> {
    let conversation = shaped(request, Tag::Line)?;
    let contents = conversation.messages.iter().map(content).collect::<Result<Vec<_>, _>>()?;
    let mut config = Map::new();
    config.put("maxOutputTokens", request.max_tokens());
    config.put("temperature", request.temperature());
    config.put("topP", request.top_p());
    config.put("thinkingConfig", thinking(request));
    config.put("responseModalities", request.model.can(Capability::ImageOut).then_some(["TEXT", "IMAGE"]));
    let mut body = Map::new();
    body.put("contents", Some(contents));
    body.put("systemInstruction", conversation.system.map(|text| json!({ "parts": [{ "text": text }] })));
    body.put("tools", request.searches().then(|| tools(request)));
    body.put("generationConfig", Some(config).filter(|config| !config.is_empty()));
    Ok(Value::Object(body))
}

/// Models from 2.5 on, which are those that think, also read the pages that a prompt names.
fn tools(request: &ChatRequest) -> Value {
    if request.model.can(Capability::Thinking) {
        json!([{ "googleSearch": {} }, { "urlContext": {} }])
    } else {
        json!([{ "googleSearch": {} }])
    }
}

/// By a budget up to version 2.5, by a level from 3 on.
fn thinking(request: &ChatRequest) -> Option<Value> {
    let mut config = Map::new();
    let budget = budget(request);
    config.put("includeThoughts", (request.thinking && budget != Some(0)).then_some(true));
    config.put("thinkingBudget", budget);
    config.put("thinkingLevel", request.effort());
    request.model.thinking.as_ref().map(|_| Value::Object(config))
}

/// Thinking counts against the answer's length, so a limited answer limits it too.
fn budget(request: &ChatRequest) -> Option<i64> {
    let Some(ThinkingControl::Budget { min, off, .. }) = request.model.thinking else { return None };
    let least = if off { 0 } else { min };
    let budget = match request.max_tokens() {
        _ if !request.thinking => least,
        None => return Some(DYNAMIC),
        Some(answer) => request.thinking_budget(answer).unwrap_or(least),
    };
    i64::try_from(budget).ok()
}

fn content(message: &Message<'_>) -> Result<Value, ProviderError> {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "model",
    };
    let mut parts =
        message.files.iter().map(|(_, attachment)| file(attachment)).collect::<Result<Vec<_>, _>>()?;
    if !message.text.is_empty() {
        let mut part = Map::new();
        part.put("text", Some(&message.text));
        // The proof of all that was thought comes with the last part of an answer, and goes back there. The thoughts
        // themselves are only a summary for readers.
        part.put("thoughtSignature", message.thinking.last().map(|run| &run.signature));
        parts.push(Value::Object(part));
    }
    Ok(json!({ "role": role, "parts": parts }))
}

fn file(attachment: &Attachment) -> Result<Value, ProviderError> {
    let mime = &attachment.mime;
    match &attachment.source {
        Source::Inline(bytes) => Ok(json!({ "inlineData": { "mimeType": mime, "data": base64(bytes) } })),
        Source::Uploaded(uri) => Ok(json!({ "fileData": { "mimeType": mime, "fileUri": uri } })),
        Source::Url(_) => Err(attachment.wrong_form()),
    }
}
