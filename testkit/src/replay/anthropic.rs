//! What Anthropic's Messages API accepts, and how it refuses what it does not ("Messages", "Extended thinking", "Errors").

use serde_json::{Map, Value, json};

use super::golden::Golden;
use super::request::RecordedRequest;
use super::vendor::{Vendor, alternates};

const PARAMETERS: [&str; 13] = [
    "container",
    "metadata",
    "mcp_servers",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Whether the API would take the request; else its refusal.
pub(super) fn check(request: &RecordedRequest, path: &str) -> Result<(), Golden> {
    if request.method != "POST" || path != "/messages" {
        return Err(error(404, "Not Found"));
    }
    Vendor::Anthropic.key(request, "x-api-key", "")?;
    if request.header("anthropic-version") != Some("2023-06-01") {
        return Err(error(400, "anthropic-version: header is required"));
    }
    let body = Vendor::Anthropic.body(request, &["model", "max_tokens", "messages"], &PARAMETERS)?;
    check_thinking(&body)?;
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    // A paused turn is sent back last, and the model goes on with it.
    let paused = messages.last().is_some_and(|message| message["role"] == "assistant");
    let asked = &messages[..messages.len() - usize::from(paused)];
    if asked.len() % 2 == 0 || !alternates(&json!(asked), "content", "assistant") {
        return Err(error(400, "messages: roles must alternate, and text content blocks must be non-empty"));
    }
    Ok(())
}

fn check_thinking(body: &Map<String, Value>) -> Result<(), Golden> {
    let temperature = body.get("temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        return Err(error(400, "temperature: Input should be less than or equal to 1"));
    }
    let Some(thinking) = body.get("thinking") else { return Ok(()) };
    if thinking["type"] == "adaptive" {
        return Ok(());
    }
    let budget = thinking["budget_tokens"].as_u64().unwrap_or_default();
    if budget < 1024 {
        return Err(error(
            400,
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ));
    }
    if Some(budget) >= body["max_tokens"].as_u64() {
        return Err(error(400, "`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    if temperature.is_some() || body.contains_key("top_p") {
        return Err(error(400, "`temperature` may only be set to 1 when thinking is enabled."));
    }
    Ok(())
}

/// An error in the API's form.
pub(super) fn error(status: u16, message: &str) -> Golden {
    let kind = match status {
        401 => "authentication_error",
        404 => "not_found_error",
        _ => "invalid_request_error",
    };
    Golden::json(status, &json!({ "type": "error", "error": { "type": kind, "message": message } }))
}
