//! A vendor's key: a type that cannot be printed.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use slipstream_domain::UserId;
use slipstream_domain::values::key_fingerprint;

/// A vendor's key, fit for a header. Its text is exposed here only, for that header and for redaction.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// Text that cannot be a key. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a provider key must be 1 to 4096 visible ASCII characters without white space")]
pub struct KeyError;

impl ApiKey {
    /// White space at both ends is cut.
    ///
    /// # Errors
    /// Empty, longer than 4096 bytes, or not visible ASCII.
    pub fn parse(secret: &SecretString) -> Result<Self, KeyError> {
        let text = secret.expose_secret().trim();
        let fits = (1..=4096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| Self(SecretString::from(text))).ok_or(KeyError)
    }

    /// `Bearer <key>`, marked so that HTTP code does not print it.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, KeyError> {
        sensitive(&format!("Bearer {}", self.0.expose_secret()))
    }

    /// The key alone, marked so that HTTP code does not print it.
    pub(crate) fn bare(&self) -> Result<HeaderValue, KeyError> {
        sensitive(self.0.expose_secret())
    }

    /// Tells it from other keys; see [`key_fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> String {
        key_fingerprint(self.0.expose_secret())
    }

    /// `text` with this key taken out wherever it stands.
    pub(crate) fn redacted_from(&self, text: &str) -> String {
        text.replace(self.0.expose_secret(), crate::redact::REDACTED)
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, KeyError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| KeyError)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// Whose key a request uses. The circuit breaker keeps one circuit per provider and owner, so that one user's broken
/// account does not stop another's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOwner {
    /// The operator's, or none at all.
    Server,
    /// A user's own.
    User(UserId),
}
