//! What a vendor says went wrong, in whichever of the known shapes it says it, and the class that makes of it.
//!
//! Shapes: `{error:{message,type,code,status,details}}` (OpenAI, Anthropic, Google, v0, most compatible servers), the
//! same inside an array (Google), `{code,error:"…"}` (xAI), `{error:"…"}` (Ollama), `{title,detail,status}` (Llama API),
//! `{detail:"…"}` and `{detail:[{msg}]}` (vLLM), and the fields flat (OpenAI's in-band event).

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use slipstream_domain::ErrorClass;

use crate::ProviderError;
use crate::error::{class_of_status, retry_after};

/// A vendor's error. Every field may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Fault {
    message: Option<String>,
    /// `code`, `status`, `type` and the reasons in `details`: the finest first.
    words: Vec<String>,
    /// A status inside the body.
    status: Option<u16>,
    /// Google's `RetryInfo`.
    retry_after: Option<Duration>,
    /// A quota that is filled again tomorrow.
    daily_quota: bool,
}

impl From<Value> for Fault {
    fn from(value: Value) -> Self {
        let value = value.get(0).unwrap_or(&value);
        let inner = match &value["error"] {
            object @ Value::Object(_) => object,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value,
        };
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let message = [
            &inner["message"],
            &value["error"],
            &inner["detail"],
            &inner["detail"][0]["msg"],
            &inner["title"],
        ]
        .into_iter()
        .find_map(text);
        let details = inner["details"].as_array().map_or(&[][..], Vec::as_slice);
        let reasons = details.iter().map(|detail| &detail["reason"]);
        let words = reasons.chain([&inner["code"], &inner["status"], &inner["type"]]).filter_map(text);
        let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok());
        Self {
            message,
            words: words.collect(),
            status: number(&inner["code"]).or_else(|| number(&inner["status"])),
            retry_after: details.iter().find_map(|detail| google_duration(detail["retryDelay"].as_str()?)),
            daily_quota: details.iter().any(is_daily),
        }
    }
}

impl Fault {
    /// The error an HTTP response stands for.
    pub(crate) fn of_response(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
        let fault: Self = serde_json::from_slice(body).unwrap_or_default();
        let by_status = class_of_status(status);
        let class = match (by_status, fault.class()) {
            // These statuses cover several kinds; the words say which.
            (ErrorClass::RateLimited | ErrorClass::InvalidRequest, Some(said)) => said,
            (ErrorClass::Auth, Some(ErrorClass::Quota)) => ErrorClass::Quota,
            (by_status, _) => by_status,
        };
        let message =
            fault.text().map_or_else(|| format!("the provider answered with status {status}"), str::to_owned);
        ProviderError::new(class, &message).with_retry_after(retry_after(headers).or(fault.retry_after))
    }

    /// The error inside a stream: no HTTP status to go by.
    pub(crate) fn in_band(&self) -> ProviderError {
        let class = match (self.class(), self.status) {
            (Some(class), _) => class,
            (None, Some(status)) => class_of_status(status),
            // No code at all is what vendors send when something broke on their side.
            (None, None) if self.words.is_empty() => ErrorClass::Overloaded,
            (None, None) => ErrorClass::Protocol,
        };
        ProviderError::new(class, self.text().unwrap_or("the provider failed without saying why"))
            .with_retry_after(self.retry_after)
    }

    fn text(&self) -> Option<&str> {
        self.message.as_deref().or(self.words.first().map(String::as_str))
    }

    fn class(&self) -> Option<ErrorClass> {
        let told = self.message.as_deref().and_then(class_of_message);
        let said = || self.words.iter().find_map(|word| class_of_word(word));
        if self.daily_quota { Some(ErrorClass::Quota) } else { told.or_else(said) }
    }
}

/// `34s`, `0.5s` (the JSON form of `google.protobuf.Duration`).
fn google_duration(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// Google's `QuotaFailure` names the quota; one per day is not worth waiting for.
fn is_daily(detail: &Value) -> bool {
    let violations = detail["violations"].as_array().map_or(&[][..], Vec::as_slice);
    violations.iter().any(|violation| violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay")))
}

/// Where the words are too coarse: xAI and Anthropic report an empty account, and xAI a wrong key, as plain 400 or 403.
fn class_of_message(message: &str) -> Option<ErrorClass> {
    let message = message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    if says(&["credit balance", "available credits", "any credits", "spending limit"]) {
        Some(ErrorClass::Quota)
    } else if says(&["incorrect api key"]) {
        Some(ErrorClass::Auth)
    } else {
        None
    }
}

fn class_of_word(word: &str) -> Option<ErrorClass> {
    Some(match word.to_ascii_lowercase().as_str() {
        "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" | "billing_error" => {
            ErrorClass::Quota
        }
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "too_many_requests"
        | "resource_exhausted"
        | "tokens"
        | "requests" => ErrorClass::RateLimited,
        "server_error"
        | "api_error"
        | "overloaded"
        | "overloaded_error"
        | "engine_overloaded"
        | "service_unavailable"
        | "unavailable"
        | "internal"
        | "internal_server_error" => ErrorClass::Overloaded,
        "invalid_api_key"
        | "api_key_invalid"
        | "authentication_error"
        | "unauthenticated"
        | "permission_error"
        | "permission_denied"
        | "account_deactivated" => ErrorClass::Auth,
        // `invalid_prompt` is how OpenAI's reasoning models report a prompt flagged by the usage policy.
        "content_filter"
        | "content_policy_violation"
        | "image_content_policy_violation"
        | "moderation_blocked"
        | "invalid_prompt" => ErrorClass::ContentFiltered,
        "timeout_error" | "deadline_exceeded" | "vector_store_timeout" => ErrorClass::Timeout,
        "context_length_exceeded"
        | "model_not_found"
        | "failed_to_download_image"
        | "empty_image_file"
        | "not_found_error"
        | "request_too_large"
        | "failed_precondition"
        | "not_found"
        | "out_of_range" => ErrorClass::InvalidRequest,
        other
            if ["invalid_", "unsupported_", "unknown_", "missing_", "image_"]
                .iter()
                .any(|prefix| other.starts_with(prefix)) =>
        {
            ErrorClass::InvalidRequest
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(status: u16, body: &Value) -> ProviderError {
        Fault::of_response(status, &HeaderMap::new(), body.to_string().as_bytes())
    }

    #[test]
    fn every_shape_says_its_message() {
        for body in [
            json!({ "error": { "message": "why" } }),
            json!([{ "error": { "code": 400, "message": "why", "status": "INVALID_ARGUMENT" } }]),
            json!({ "code": "Client specified an invalid argument", "error": "why" }),
            json!({ "error": "why" }),
            json!({ "title": "Bad Request", "detail": "why", "status": 400 }),
            json!({ "detail": [{ "loc": ["body"], "msg": "why" }] }),
            json!({ "object": "error", "message": "why" }),
        ] {
            assert_eq!(of(400, &body).message(), "why", "{body}");
        }
        assert_eq!(of(400, &json!(null)).message(), "the provider answered with status 400");
    }

    #[test]
    fn googles_wish_to_wait_is_in_the_body_and_a_daily_quota_is_no_rate() {
        let limited = |quota: &str| {
            of(
                429,
                &json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [
                { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": quota }] },
                { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s" },
            ] } }),
            )
        };
        let minute = limited("GenerateRequestsPerMinutePerProjectPerModel");
        assert_eq!(minute.class(), ErrorClass::RateLimited);
        assert_eq!(minute.retry_after(), Some(Duration::from_secs_f64(34.5)));
        assert_eq!(limited("GenerateRequestsPerDayPerProjectPerModel").class(), ErrorClass::Quota);
    }

    #[test]
    fn in_band_the_words_decide_then_the_number_then_nobody() {
        let class = |body: Value| Fault::from(body).in_band().class();
        assert_eq!(class(json!({ "error": { "type": "overloaded_error" } })), ErrorClass::Overloaded);
        assert_eq!(class(json!({ "error": { "code": 429, "message": "m" } })), ErrorClass::RateLimited);
        assert_eq!(class(json!({ "error": { "message": "m" } })), ErrorClass::Overloaded);
        assert_eq!(class(json!({ "error": { "code": "new_word" } })), ErrorClass::Protocol);
    }
}
