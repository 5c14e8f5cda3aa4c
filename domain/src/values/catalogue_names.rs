//! Names out of the model catalogue. Whether a name is known is the catalogue's matter; here it is only well formed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextError;

/// The id of a provider on the wire: `openai`, `gemini`, `grok`, `anthropic`, `meta`, `vercel`, `simulated`, or the name
/// of a compatible endpoint. Lower-case letters, digits, `.`, `_`, `-`; at most 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ProviderId(String);

impl ProviderId {
    /// The built-in, deterministic provider.
    pub const SIMULATED: &'static str = "simulated";

    /// # Errors
    /// Empty, longer than 32 bytes, or a character outside the allowed ones.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let fits = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned())).ok_or(TextError::Malformed {
            what: "provider",
            right: "a provider's id in lower case, such as openai",
        })
    }

    /// The built-in, deterministic provider's id.
    #[must_use]
    pub fn simulated() -> Self {
        Self(Self::SIMULATED.to_owned())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A vendor's name of a model: visible ASCII, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ModelId(String);

impl ModelId {
    /// # Errors
    /// Empty, longer than 128 bytes, or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
            .ok_or(TextError::Malformed { what: "model", right: "a model's id such as gpt-5-nano" })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ProviderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for ModelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
