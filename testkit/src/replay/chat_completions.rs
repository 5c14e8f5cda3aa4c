//! What the chat completions of Meta, Vercel's v0 and compatible servers accept, and how they refuse what they do not.

use serde_json::{Value, json};

use super::golden::Golden;
use super::request::RecordedRequest;
use super::vendor::{Vendor, alternates};

const META: [&str; 10] = [
    "max_completion_tokens",
    "repetition_penalty",
    "response_format",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user",
];
const V0: [&str; 4] = ["stream", "stream_options", "tool_choice", "tools"];
const COMPATIBLE: [&str; 9] = [
    "max_tokens",
    "reasoning_effort",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tools",
    "top_p",
];

/// Whether the API would take the request; else its refusal. A compatible server needs no key.
pub(super) fn check(vendor: Vendor, request: &RecordedRequest, path: &str) -> Result<(), Golden> {
    if request.method != "POST" || path != "/chat/completions" {
        return Err(vendor.error(404, &format!("Invalid URL ({} {})", request.method, request.path)));
    }
    let known: &[&str] = match vendor {
        Vendor::Meta => &META,
        Vendor::Vercel => &V0,
        Vendor::Compatible | Vendor::OpenAi | Vendor::Gemini | Vendor::Grok | Vendor::Anthropic => {
            &COMPATIBLE
        }
    };
    if vendor != Vendor::Compatible {
        vendor.key(request, "authorization", "Bearer ")?;
    }
    let body = vendor.body(request, &["model", "messages"], known)?;
    if body.get("stream") != Some(&Value::Bool(true)) {
        return Err(vendor.error(400, "This replay speaks streams only."));
    }
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let system = messages.first().is_some_and(|message| message["role"] == "system");
    if !alternates(&json!(&messages[usize::from(system)..]), "content", "assistant") {
        return Err(vendor.error(400, "messages: roles must alternate, and content must not be empty"));
    }
    Ok(())
}

/// An error in the Llama API's form.
pub(super) fn meta_error(status: u16, message: &str) -> Golden {
    let title = if status == 401 { "Unauthorized" } else { "Bad Request" };
    Golden::json(status, &json!({ "title": title, "detail": message, "status": status }))
}
