//! What kind of file something is, as HTTP names it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TextError;

/// A media type without parameters, in lower case: `image/png`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MediaType(String);

impl MediaType {
    /// Parameters (`; charset=utf-8`) are cut.
    ///
    /// # Errors
    /// Not `type/subtype`, each 1 to 127 characters of RFC 6838, 4.2.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let fits = matches!(essence.split_once('/'), Some((main, sub)) if is_name(main) && is_name(sub));
        fits.then_some(Self(essence))
            .ok_or(TextError::Malformed { what: "mime", right: "a media type such as image/png" })
    }

    /// What is known to be bytes, and nothing else.
    #[must_use]
    pub fn octet_stream() -> Self {
        Self("application/octet-stream".to_owned())
    }

    /// Text of which nothing more is known.
    #[must_use]
    pub fn plain_text() -> Self {
        Self("text/plain".to_owned())
    }

    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'!' | b'#' | b'$' | b'&' | b'-' | b'^' | b'_' | b'.' | b'+')
    };
    (1..=127).contains(&text.len()) && text.bytes().all(allowed)
}

impl std::fmt::Display for MediaType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_type_written_two_ways_is_one_type() {
        assert_eq!(MediaType::parse(" Text/Plain; charset=utf-8"), MediaType::parse("text/plain"));
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "png", "image/", "/png", "image/png/x", "image/p ng", "image/png\r\nx: y", "*/*"] {
            assert!(MediaType::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
