//! Reads one HTTP/1.1 request and keeps it for the test to look at.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// More than any request of ours has.
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// `POST`, for example.
    pub method: String,
    /// With its query, if any.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
    /// The golden that answered it; none if it was refused as malformed.
    pub golden: Option<String>,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer was sent (for an answer that is cut: all up to the cut).
    Answered,
    /// The client closed the connection before that.
    ClientLeft,
}

impl RecordedRequest {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The model asked for: a field of the body, or part of the path.
    pub(super) fn model(&self) -> Option<String> {
        let in_path =
            || self.path.split_once("/models/")?.1.split_once(':').map(|(model, _)| model.to_owned());
        self.json()["model"].as_str().map(str::to_owned).or_else(in_path)
    }

    /// The golden named by `[[golden=name]]` in the last message, wherever the vendor has its text.
    pub(super) fn golden_in_prompt(&self) -> Option<String> {
        let body = self.json();
        let prompt = ["input", "messages", "contents", "instances", "prompt"]
            .into_iter()
            .find_map(|field| body.get(field))?;
        let last = prompt.as_array().and_then(|messages| messages.last()).unwrap_or(prompt);
        let (_, rest) = text(last)?.split_once("[[golden=")?;
        rest.split_once("]]").map(|(name, _)| name.trim().to_owned())
    }
}

/// The first text in which a golden is named.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.as_str()).filter(|text| text.contains("[[golden=")),
        Value::Array(values) => values.iter().find_map(text),
        Value::Object(fields) => fields.values().find_map(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Reads a request; none if the client left before its end or sent no HTTP.
pub(super) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<RecordedRequest>> {
    let mut bytes = Vec::new();
    let (mut request, head) = loop {
        if let Some(parsed) = parse_head(&bytes)? {
            break parsed;
        }
        if bytes.len() > MAX_HEAD || socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let length = request.header("content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if length > MAX_BODY {
        return Ok(None);
    }
    while bytes.len() < head + length {
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    request.body = bytes[head..head + length].to_vec();
    Ok(Some(request))
}

fn parse_head(bytes: &[u8]) -> io::Result<Option<(RecordedRequest, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = head.headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header.value)));
    let request = RecordedRequest {
        method: head.method.unwrap_or_default().to_owned(),
        path: head.path.unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
        golden: None,
        outcome: None,
    };
    Ok(Some((request, length)))
}
