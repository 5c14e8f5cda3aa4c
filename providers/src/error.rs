//! Why a call failed, in classes that decide what happens next.

use std::time::Duration;

use reqwest::header::HeaderMap;
use slipstream_domain::ErrorClass;

use crate::{ApiKey, redact::redact};

/// A failed call. The text is redacted when the error is made, so it may be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", class.as_str())]
pub struct ProviderError {
    class: ErrorClass,
    message: String,
    retry_after: Option<Duration>,
}

impl ProviderError {
    /// An error with a vendor's text, or ours. Keys, tokens and account ids are taken out of it.
    #[must_use]
    pub fn new(class: ErrorClass, message: &str) -> Self {
        Self { class, message: redact(message), retry_after: None }
    }

    /// The same error, with how long the vendor asked to wait.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        self.class
    }

    /// What to tell the user. Holds no secret.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long the vendor asked to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same request may succeed a moment later: the vendor was busy, broken or out of reach.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self.class {
            ErrorClass::RateLimited | ErrorClass::Overloaded | ErrorClass::Timeout | ErrorClass::Network => {
                true
            }
            ErrorClass::Auth
            | ErrorClass::Quota
            | ErrorClass::InvalidRequest
            | ErrorClass::ContentFiltered
            | ErrorClass::Protocol
            | ErrorClass::Internal => false,
        }
    }

    /// Whether it tells that the vendor is down, for everybody. This is what the circuit breaker counts. A refusal is the
    /// answer of a healthy vendor, and so is a rate limit: that one's own requests are too many, or one of them too large.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self.class {
            ErrorClass::Overloaded | ErrorClass::Timeout | ErrorClass::Network | ErrorClass::Protocol => true,
            ErrorClass::RateLimited
            | ErrorClass::Auth
            | ErrorClass::Quota
            | ErrorClass::InvalidRequest
            | ErrorClass::ContentFiltered
            | ErrorClass::Internal => false,
        }
    }

    /// The same error without the very key the request was made with, in case it does not look like one.
    pub(crate) fn without(self, key: Option<&ApiKey>) -> Self {
        match key {
            Some(key) => Self { message: key.redacted_from(&self.message), ..self },
            None => self,
        }
    }
}

/// How long the vendor asks to wait: `retry-after-ms` (milliseconds), else `retry-after` (RFC 9110, 10.2.3: seconds or
/// a date; a date is measured against the response's own `date`, so no clock is needed).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok();
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    if let Some(millis) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let after = text("retry-after")?;
    match number(after) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => date(after)?.duration_since(text("date").and_then(date)?).ok(),
    }
}

/// The class of an HTTP status when the body says nothing better.
pub(crate) const fn class_of_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => ErrorClass::Auth,
        402 => ErrorClass::Quota,
        408 | 504 => ErrorClass::Timeout,
        429 => ErrorClass::RateLimited,
        400..=499 => ErrorClass::InvalidRequest,
        500..=599 => ErrorClass::Overloaded,
        _ => ErrorClass::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        retry_after(&pairs.collect())
    }

    #[test]
    fn the_finer_header_wins_and_every_form_of_the_other_is_read() {
        assert_eq!(
            wait(&[("retry-after-ms", "250"), ("retry-after", "9")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(wait(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        let (date, later) = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:30 GMT");
        assert_eq!(wait(&[("retry-after", later), ("date", date)]), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_nonsense_wait_is_no_wait() {
        for nonsense in ["-1", "NaN", "inf", "1e400", "soon", ""] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None);
        }
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")]), None);
    }

    #[test]
    fn a_key_that_looks_like_a_word_is_still_taken_out() {
        let key = ApiKey::parse(&"claude".into()).unwrap();
        let error = ProviderError::new(ErrorClass::Auth, "Incorrect API key provided: claude.");
        assert_eq!(error.without(Some(&key)).message(), "Incorrect API key provided: [redacted].");
    }
}
