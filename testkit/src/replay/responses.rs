//! What the Responses and Images APIs of `OpenAI` and xAI accept, and how they refuse what they do not (API references,
//! "Create a model response", "Create image", "Error codes"). Strict: a parameter the API does not know, or the model does
//! not support, is refused.

use serde_json::{Map, Value, json};

use super::golden::Golden;
use super::request::RecordedRequest;
use super::vendor::Vendor;

const PARAMETERS: [&str; 26] = [
    "background",
    "conversation",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

const XAI_PARAMETERS: [&str; 16] = [
    "include",
    "instructions",
    "logprobs",
    "max_output_tokens",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "store",
    "stream",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
];

const IMAGE_PARAMETERS: [&str; 9] = [
    "n",
    "size",
    "quality",
    "background",
    "output_format",
    "moderation",
    "stream",
    "partial_images",
    "response_format",
];
const XAI_IMAGE_PARAMETERS: [&str; 2] = ["n", "response_format"];

/// Whether the API would take the request; else its refusal.
pub(super) fn check(vendor: Vendor, request: &RecordedRequest, path: &str) -> Result<(), Golden> {
    let xai = vendor == Vendor::Grok;
    if request.method == "POST" && path == "/images/generations" {
        vendor.key(request, "authorization", "Bearer ")?;
        let known: &[&str] = if xai { &XAI_IMAGE_PARAMETERS } else { &IMAGE_PARAMETERS };
        return vendor.body(request, &["model", "prompt"], known).and_then(|body| check_image(vendor, &body));
    }
    if request.method != "POST" || path != "/responses" {
        return Err(vendor.error(404, &format!("Invalid URL ({} {})", request.method, request.path)));
    }
    vendor.key(request, "authorization", "Bearer ")?;
    if xai && request.json().get("search_parameters").is_some() {
        return Err(vendor.error(410, "Live search is deprecated. Please switch to the Agent Tools API."));
    }
    let known: &[&str] = if xai { &XAI_PARAMETERS } else { &PARAMETERS };
    let body = vendor.body(request, &["model", "input"], known)?;
    if body.get("stream") != Some(&Value::Bool(true)) {
        return Err(vendor.error(400, "This replay speaks streams only."));
    }
    if xai {
        check_xai(&body)?;
    } else {
        check_openai(&body)?;
    }
    check_input(vendor, &body["input"])
}

fn check_openai(body: &Map<String, Value>) -> Result<(), Golden> {
    let model = body["model"].as_str().unwrap_or_default();
    let reasons = ["gpt-5", "o1", "o3", "o4"].iter().any(|family| model.starts_with(family));
    let unsupported: &[&str] = if reasons { &["temperature", "top_p"] } else { &["reasoning"] };
    if let Some(name) = unsupported.iter().find(|name| body.contains_key(**name)) {
        let message = format!("Unsupported parameter: '{name}' is not supported with this model.");
        return Err(openai_error(400, &message, Some(name), Some("unsupported_parameter")));
    }
    if body.get("max_output_tokens").is_some_and(|tokens| tokens.as_u64().is_none_or(|tokens| tokens < 16)) {
        let message = "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.";
        return Err(openai_error(400, message, Some("max_output_tokens"), Some("integer_below_min_value")));
    }
    Ok(())
}

/// Only `grok-3-mini` lets its effort be chosen ("Reasoning").
fn check_xai(body: &Map<String, Value>) -> Result<(), Golden> {
    let model = body["model"].as_str().unwrap_or_default();
    let effort = body.get("reasoning").and_then(|reasoning| reasoning["effort"].as_str());
    match effort {
        None => Ok(()),
        Some("low" | "high") if model.starts_with("grok-3-mini") => Ok(()),
        Some(_) => Err(xai_error(400, "Argument not supported on this model: reasoningEffort")),
    }
}

fn check_image(vendor: Vendor, body: &Map<String, Value>) -> Result<(), Golden> {
    let model = body["model"].as_str().unwrap_or_default();
    let refused: &[&str] =
        if model.starts_with("gpt-image") { &["response_format"] } else { &["stream", "partial_images"] };
    match refused.iter().find(|name| body.contains_key(**name)) {
        Some(name) => Err(vendor.error(400, &format!("Unknown parameter: '{name}'."))),
        None if body["prompt"].as_str().is_none_or(str::is_empty) => {
            Err(vendor.error(400, "Invalid type for 'prompt'."))
        }
        None => Ok(()),
    }
}

fn check_input(vendor: Vendor, input: &Value) -> Result<(), Golden> {
    let refuse = |param: &str| Err(vendor.error(400, &format!("Invalid value for '{param}'.")));
    let Some(items) = input.as_array() else {
        return if input.is_string() { Ok(()) } else { refuse("input") };
    };
    for (n, item) in items.iter().enumerate() {
        let role = item["role"].as_str().unwrap_or_default();
        if !["user", "assistant", "system", "developer"].contains(&role) {
            return refuse(&format!("input[{n}].role"));
        }
        // An answer's parts are `output_text`; a question's are `input_*`.
        let part_prefix = if role == "assistant" { "output_" } else { "input_" };
        let part_fits =
            |part: &Value| part["type"].as_str().is_some_and(|kind| kind.starts_with(part_prefix));
        let content = &item["content"];
        if !content.is_string() && !content.as_array().is_some_and(|parts| parts.iter().all(part_fits)) {
            return refuse(&format!("input[{n}].content"));
        }
    }
    if items.is_empty() { refuse("input") } else { Ok(()) }
}

/// An error in `OpenAI`'s form.
pub(super) fn openai_error(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Golden {
    let error = json!({ "message": message, "type": "invalid_request_error", "param": param, "code": code });
    Golden::json(status, &json!({ "error": error }))
}

/// An error in one of xAI's forms.
pub(super) fn xai_error(status: u16, message: &str) -> Golden {
    Golden::json(status, &json!({ "code": "Client specified an invalid argument", "error": message }))
}
