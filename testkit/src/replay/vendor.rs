//! Which vendor a request means, and what all of them check the same way.

use serde_json::{Map, Value};

use super::golden::Golden;
use super::request::RecordedRequest;
use super::{anthropic, chat_completions, gemini, responses};

/// A vendor whose API is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vendor {
    OpenAi,
    Gemini,
    Grok,
    Anthropic,
    Meta,
    Vercel,
    Compatible,
}

impl Vendor {
    pub(super) const ALL: [Self; 7] =
        [Self::OpenAi, Self::Gemini, Self::Grok, Self::Anthropic, Self::Meta, Self::Vercel, Self::Compatible];

    /// Its folder of goldens, and the first folder of its paths.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Grok => "grok",
            Self::Anthropic => "anthropic",
            Self::Meta => "meta",
            Self::Vercel => "vercel",
            Self::Compatible => "compatible",
        }
    }

    /// The vendor and its own path, without its name, its version and a query.
    pub(super) fn of(request: &RecordedRequest) -> Option<(Self, String)> {
        let path = request.path.split('?').next().unwrap_or_default();
        let named = Self::ALL.into_iter().find_map(|vendor| {
            let rest = path.strip_prefix('/')?.strip_prefix(vendor.name())?;
            rest.starts_with('/').then_some((vendor, rest))
        });
        let (vendor, path) = match named {
            Some(named) => named,
            None => (Self::by_method(path, &request.model().unwrap_or_default())?, path),
        };
        let bare = ["/v1beta", "/v1"].iter().find_map(|version| path.strip_prefix(version)).unwrap_or(path);
        Some((vendor, bare.to_owned()))
    }

    fn by_method(path: &str, model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.contains("/v1beta/") || path.contains(":streamGenerateContent") {
            Some(Self::Gemini)
        } else if path.ends_with("/chat/completions") {
            Some(if model.contains("llama") {
                Self::Meta
            } else if model.starts_with("v0-") {
                Self::Vercel
            } else {
                Self::Compatible
            })
        } else if path.ends_with("/responses") || path.ends_with("/images/generations") {
            Some(if model.starts_with("grok") { Self::Grok } else { Self::OpenAi })
        } else {
            None
        }
    }

    /// Whether the vendor would take the request; else what it answers instead of a golden.
    pub(super) fn check(self, request: &RecordedRequest, path: &str) -> Result<(), Golden> {
        match self {
            Self::OpenAi | Self::Grok => responses::check(self, request, path),
            Self::Gemini => gemini::check(request, path),
            Self::Anthropic => anthropic::check(request, path),
            Self::Meta | Self::Vercel | Self::Compatible => chat_completions::check(self, request, path),
        }
    }

    /// An error in the vendor's form.
    pub(super) fn error(self, status: u16, message: &str) -> Golden {
        match self {
            Self::OpenAi | Self::Vercel | Self::Compatible => {
                responses::openai_error(status, message, None, None)
            }
            Self::Grok => responses::xai_error(status, message),
            Self::Gemini => gemini::error(status, message),
            Self::Anthropic => anthropic::error(status, message),
            Self::Meta => chat_completions::meta_error(status, message),
        }
    }

    /// The key in a header, after `prefix`. A missing one is refused, and one that says of itself that it is invalid.
    pub(super) fn key(self, request: &RecordedRequest, header: &str, prefix: &str) -> Result<(), Golden> {
        match request.header(header).and_then(|value| value.strip_prefix(prefix)) {
            None | Some("") => Err(self.error(401, "Missing bearer or basic authentication in header")),
            Some(key) if key.contains("invalid") => {
                let message = format!("Incorrect API key provided: {key}.");
                Err(match self {
                    Self::OpenAi => responses::openai_error(401, &message, None, Some("invalid_api_key")),
                    Self::Gemini | Self::Grok => self.error(400, &message),
                    Self::Anthropic | Self::Meta | Self::Vercel | Self::Compatible => {
                        self.error(401, &message)
                    }
                })
            }
            Some(_) => Ok(()),
        }
    }

    /// The body, if it is a JSON object with these fields and no others.
    pub(super) fn body(
        self,
        request: &RecordedRequest,
        required: &[&str],
        known: &[&str],
    ) -> Result<Map<String, Value>, Golden> {
        let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) else {
            return Err(self.error(400, "We could not parse the JSON body of your request."));
        };
        let refuse = |message: &str, param: &str, code: &str| match self {
            Self::OpenAi => responses::openai_error(400, message, Some(param), Some(code)),
            Self::Gemini | Self::Grok | Self::Anthropic | Self::Meta | Self::Vercel | Self::Compatible => {
                self.error(400, message)
            }
        };
        let is_known = |name: &str| known.contains(&name) || required.contains(&name);
        if let Some(unknown) = body.keys().find(|name| !is_known(name)) {
            return Err(refuse(&format!("Unknown parameter: '{unknown}'."), unknown, "unknown_parameter"));
        }
        if let Some(missing) = required.iter().find(|name| !body.contains_key(**name)) {
            let message = format!("Missing required parameter: '{missing}'.");
            return Err(refuse(&message, missing, "missing_required_parameter"));
        }
        Ok(body)
    }
}

/// Whether a conversation begins with the user, alternates, and holds nothing empty.
pub(super) fn alternates(messages: &Value, content: &str, assistant: &str) -> bool {
    let Some(messages) = messages.as_array().filter(|messages| !messages.is_empty()) else { return false };
    messages.iter().enumerate().all(|(n, message)| {
        let role = if n % 2 == 0 { "user" } else { assistant };
        let said = &message[content];
        let full = said.as_str().is_some_and(|text| !text.trim().is_empty())
            || said.as_array().is_some_and(|parts| {
                !parts.is_empty() && parts.iter().all(|part| part["text"].as_str() != Some(""))
            });
        message["role"] == role && full
    })
}
