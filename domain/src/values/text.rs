//! Text a user wrote. U+0000 becomes U+FFFD here, because PostgreSQL's text and jsonb cannot hold it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("{what} must not be empty")]
    Empty {
        /// The field's name on the wire.
        what: &'static str,
    },
    /// More bytes than allowed.
    #[error("{what} has {bytes} bytes; at most {max} are allowed")]
    TooLong {
        /// The field's name on the wire.
        what: &'static str,
        /// How many bytes of UTF-8 it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// Not of the field's form.
    #[error("{what} must be {right}")]
    Malformed {
        /// The field's name on the wire.
        what: &'static str,
        /// What would be right.
        right: &'static str,
    },
}

/// The text with every U+0000 replaced by U+FFFD; without one, the same allocation.
#[must_use]
pub fn clean_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

fn bounded(what: &'static str, text: String, max: usize) -> Result<String, TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty { what });
    }
    let text = clean_text(text);
    if text.len() > max {
        return Err(TextError::TooLong { what, bytes: text.len(), max });
    }
    Ok(text)
}

/// What a user asks. Kept as written, but for U+0000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Prompt(String);

impl Prompt {
    /// The longest prompt, in bytes of UTF-8: a quarter of what one append may hold.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// # Errors
    /// Blank, or longer than [`Prompt::MAX_BYTES`].
    pub fn parse(text: String) -> Result<Self, TextError> {
        bounded("prompt", text, Self::MAX_BYTES).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Standing instructions for the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SystemPrompt(String);

impl SystemPrompt {
    /// The longest system prompt, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// # Errors
    /// Blank, or longer than [`SystemPrompt::MAX_BYTES`].
    pub fn parse(text: String) -> Result<Self, TextError> {
        bounded("systemPrompt", text, Self::MAX_BYTES).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A conversation's title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Title(String);

impl Title {
    /// The longest title, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 512;
    /// How many characters of a prompt make a provisional title.
    const PROVISIONAL_CHARS: usize = 48;

    /// White space at both ends is cut.
    ///
    /// # Errors
    /// Blank, or longer than [`Title::MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, TextError> {
        bounded("title", text.trim().to_owned(), Self::MAX_BYTES).map(Self)
    }

    /// A title at once, from the prompt's first words: whole words up to 48 characters, then `…`.
    #[must_use]
    pub fn provisional(prompt: &Prompt) -> Self {
        let mut title = String::new();
        for word in prompt.as_str().split_whitespace() {
            let room = Self::PROVISIONAL_CHARS.saturating_sub(title.chars().count());
            if title.is_empty() {
                title.extend(word.chars().take(room));
                if word.chars().count() > room {
                    return Self(title + "…");
                }
            } else if word.chars().count() < room {
                title.push(' ');
                title.push_str(word);
            } else {
                return Self(title + "…");
            }
        }
        Self(title)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address, normalised: no white space around it, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// # Errors
    /// Not `something@something` without white space, or longer than 254 bytes (RFC 5321, 4.5.3.1.3).
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let email = text.trim().to_lowercase();
        let fits = email.len() <= 254
            && !email.contains(|c: char| c.is_whitespace() || c.is_control())
            && matches!(email.split_once('@'), Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@'));
        fits.then_some(Self(email))
            .ok_or(TextError::Malformed { what: "email", right: "an address such as a@example.com" })
    }

    /// The normalised address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a request came from, as its client says. Kept sealed with the message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct RequestMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lng: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_in_a_prompt_becomes_the_replacement_character() {
        assert_eq!(Prompt::parse("a\0b".into()).unwrap().as_str(), "a\u{FFFD}b");
    }

    #[test]
    fn a_blank_or_oversized_prompt_is_refused_with_the_limit() {
        assert_eq!(Prompt::parse(" \n".into()), Err(TextError::Empty { what: "prompt" }));
        let error = Prompt::parse("x".repeat(1024 * 1024)).unwrap_err();
        assert_eq!(error.to_string(), "prompt has 1048576 bytes; at most 262144 are allowed");
    }

    #[test]
    fn a_provisional_title_keeps_whole_words() {
        let title = |text: &str| Title::provisional(&Prompt::parse(text.into()).unwrap()).as_str().to_owned();
        assert_eq!(title("  hello\n world "), "hello world");
        assert_eq!(title(&"word ".repeat(30)), format!("{}…", ["word"; 9].join(" ")));
        assert_eq!(title(&"ü".repeat(100)), format!("{}…", "ü".repeat(48)));
    }

    #[test]
    fn one_address_written_two_ways_is_one_address() {
        assert_eq!(EmailAddress::parse(" A@Example.com "), EmailAddress::parse("a@example.com"));
        for wrong in ["", "a", "@b", "a@", "a b@c", "a@b@c", "a@b\0"] {
            assert!(EmailAddress::parse(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
