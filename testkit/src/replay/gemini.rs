//! What Google's Gemini API accepts, and how it refuses what it does not ("Generating content", "Imagen", "Files",
//! "Troubleshooting"). The Files API answers by itself: it takes a file, and has it ready at the second look.

use serde_json::{Value, json};

use super::golden::Golden;
use super::request::RecordedRequest;
use super::vendor::{Vendor, alternates};

const PARAMETERS: [&str; 6] =
    ["cachedContent", "generationConfig", "safetySettings", "systemInstruction", "toolConfig", "tools"];

/// Whether the API would take the request; else its refusal, or what the Files API says.
pub(super) fn check(request: &RecordedRequest, path: &str) -> Result<(), Golden> {
    if let Some(session) = path.strip_prefix("/upload/") {
        return Err(uploaded(request, session));
    }
    Vendor::Gemini.key(request, "x-goog-api-key", "")?;
    if request.method == "GET" && path.starts_with("/files/") {
        return Err(Golden::json(200, &file("ACTIVE")));
    }
    match path.rsplit_once(':') {
        Some((_, "predict")) => Vendor::Gemini.body(request, &["instances"], &["parameters"]).map(drop),
        Some((_, "streamGenerateContent")) if request.path.ends_with("?alt=sse") => {
            let body = Vendor::Gemini.body(request, &["contents"], &PARAMETERS)?;
            check_thinking(&body["contents"], body.get("generationConfig"))
        }
        Some(_) | None => Err(error(404, "Requested entity was not found.")),
    }
}

fn check_thinking(contents: &Value, config: Option<&Value>) -> Result<(), Golden> {
    if !alternates(contents, "parts", "model") {
        return Err(error(400, "Please ensure that multiturn requests alternate between user and model."));
    }
    let budget = config.and_then(|config| config["thinkingConfig"]["thinkingBudget"].as_i64());
    match budget {
        Some(-1..=32_768) | None => Ok(()),
        Some(_) => Err(error(400, "The thinking budget is invalid.")),
    }
}

fn uploaded(request: &RecordedRequest, session: &str) -> Golden {
    match (request.header("x-goog-upload-command"), session) {
        (Some("start"), "v1beta/files") => {
            if let Err(refusal) = Vendor::Gemini.key(request, "x-goog-api-key", "") {
                return refusal;
            }
            let host = request.header("host").unwrap_or_default();
            let mut answer = Golden::json(200, &json!({}));
            let place = format!("http://{host}/gemini/upload/session");
            answer.headers.push(("x-goog-upload-url".to_owned(), place));
            answer
        }
        (Some("upload, finalize"), "session") if !request.body.is_empty() => {
            Golden::json(200, &json!({ "file": file("PROCESSING") }))
        }
        (Some(_) | None, _) => error(400, "Upload has no such command here."),
    }
}

fn file(state: &str) -> Value {
    let uri = "https://generativelanguage.googleapis.com/v1beta/files/abc-123";
    json!({ "name": "files/abc-123", "uri": uri, "mimeType": "application/pdf", "state": state })
}

/// An error in the API's form.
pub(super) fn error(status: u16, message: &str) -> Golden {
    let word = match status {
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        _ => "INVALID_ARGUMENT",
    };
    Golden::json(status, &json!({ "error": { "code": status, "message": message, "status": word } }))
}
