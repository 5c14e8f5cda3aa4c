//! What `OpenAI`'s Responses API accepts, and how it refuses what it does not (API reference, "Create a model response"
//! and "Error codes"). Strict: a parameter the API does not know, or the model does not support, is refused.

use serde_json::{Map, Value, json};

use super::golden::{End, Golden};
use super::request::RecordedRequest;

const PARAMETERS: [&str; 28] = [
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
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

/// Whether the API would take the request; else its refusal.
pub(super) fn check(request: &RecordedRequest) -> Result<(), Golden> {
    let path = request.path.strip_prefix("/v1").unwrap_or(&request.path);
    if request.method != "POST" || path != "/responses" {
        let message = format!("Invalid URL ({} {})", request.method, request.path);
        return Err(error(404, &message, "invalid_request_error", None, None));
    }
    match request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        None | Some("") => {
            let message = "Missing bearer or basic authentication in header";
            return Err(error(401, message, "invalid_request_error", None, None));
        }
        Some(key) if key.starts_with("sk-invalid") => {
            let message = format!(
                "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys."
            );
            return Err(error(401, &message, "invalid_request_error", None, Some("invalid_api_key")));
        }
        Some(_) => {}
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) else {
        let message = "We could not parse the JSON body of your request.";
        return Err(error(400, message, "invalid_request_error", None, None));
    };
    check_body(&body)
}

fn check_body(body: &Map<String, Value>) -> Result<(), Golden> {
    let refuse = |message: String, param: &str, code: &str| {
        Err(error(400, &message, "invalid_request_error", Some(param), Some(code)))
    };
    if let Some(unknown) = body.keys().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return refuse(format!("Unknown parameter: '{unknown}'."), unknown, "unknown_parameter");
    }
    for required in ["model", "input"] {
        if !body.contains_key(required) {
            let message = format!("Missing required parameter: '{required}'.");
            return refuse(message, required, "missing_required_parameter");
        }
    }
    if body.get("stream") != Some(&Value::Bool(true)) {
        return refuse("This replay speaks streams only.".to_owned(), "stream", "invalid_value");
    }
    let model = body["model"].as_str().unwrap_or_default();
    let reasons = ["gpt-5", "o1", "o3", "o4"].iter().any(|family| model.starts_with(family));
    let unsupported: &[&str] = if reasons { &["temperature", "top_p"] } else { &["reasoning"] };
    if let Some(name) = unsupported.iter().find(|name| body.contains_key(**name)) {
        let message = format!("Unsupported parameter: '{name}' is not supported with this model.");
        return refuse(message, name, "unsupported_parameter");
    }
    if body.get("max_output_tokens").is_some_and(|tokens| tokens.as_u64().is_none_or(|tokens| tokens < 16)) {
        let message = "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.";
        return refuse(message.to_owned(), "max_output_tokens", "integer_below_min_value");
    }
    check_input(&body["input"])
}

fn check_input(input: &Value) -> Result<(), Golden> {
    let refuse = |param: &str| {
        let message = format!("Invalid value for '{param}'.");
        Err(error(400, &message, "invalid_request_error", Some(param), Some("invalid_value")))
    };
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

/// The model asked for.
pub(super) fn model(request: &RecordedRequest) -> Option<String> {
    request.json()["model"].as_str().map(str::to_owned)
}

/// The golden named by `[[golden=name]]` in the last message.
pub(super) fn golden_in_prompt(request: &RecordedRequest) -> Option<String> {
    let body = request.json();
    let last = body["input"].as_array().and_then(|items| items.last()).map(|item| &item["content"]);
    let content = last.unwrap_or(&body["input"]);
    let part = content.as_array().and_then(|parts| parts.iter().find_map(|part| part["text"].as_str()));
    let text = part.or_else(|| content.as_str())?;
    let (_, rest) = text.split_once("[[golden=")?;
    rest.split_once("]]").map(|(name, _)| name.trim().to_owned())
}

/// An error in the API's form.
pub(super) fn error(
    status: u16,
    message: &str,
    kind: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Golden {
    let body = json!({ "error": { "message": message, "type": kind, "param": param, "code": code } });
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Golden { status, headers, body: body.to_string().into_bytes(), end: End::Proper }
}
