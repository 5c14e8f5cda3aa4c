//! OpenAI's errors: the body of an HTTP error, and the same object in-band.

use reqwest::header::HeaderMap;
use serde::Deserialize;
use slipstream_domain::ErrorClass;

use crate::ProviderError;
use crate::error::{class_of_status, retry_after};

/// The `error` object. `code` or `type` may be null; `type` alone says `insufficient_quota` in some answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiError {
    code: Option<String>,
    r#type: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ApiError,
}

impl ApiError {
    /// The in-band error: no HTTP status to go by.
    pub(super) fn in_band(self) -> ProviderError {
        let class = match self.class() {
            Some(class) => class,
            // No code at all is what OpenAI sends when something broke on its side.
            None if self.code.is_none() => ErrorClass::Overloaded,
            None => ErrorClass::Protocol,
        };
        ProviderError::new(class, self.text().unwrap_or("the provider failed without saying why"))
    }

    fn text(&self) -> Option<&str> {
        self.message.as_deref().filter(|text| !text.is_empty()).or(self.code.as_deref())
    }

    /// What the code says, else the type.
    fn class(&self) -> Option<ErrorClass> {
        [&self.code, &self.r#type].into_iter().flatten().find_map(|word| class_of(word))
    }
}

/// The error an HTTP response stands for.
pub(super) fn of_response(status: u16, headers: &HeaderMap, body: &[u8]) -> ProviderError {
    let by_status = class_of_status(status);
    let error = serde_json::from_slice::<ErrorBody>(body).map(|body| body.error).unwrap_or_default();
    let class = match by_status {
        // These statuses cover several kinds; the code says which.
        ErrorClass::RateLimited | ErrorClass::InvalidRequest => error.class().unwrap_or(by_status),
        ErrorClass::Auth
        | ErrorClass::Quota
        | ErrorClass::Overloaded
        | ErrorClass::ContentFiltered
        | ErrorClass::Timeout
        | ErrorClass::Network
        | ErrorClass::Protocol
        | ErrorClass::Internal => by_status,
    };
    let message =
        error.text().map_or_else(|| format!("the provider answered with status {status}"), str::to_owned);
    ProviderError::new(class, &message).with_retry_after(retry_after(headers))
}

fn class_of(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" => ErrorClass::Quota,
        "rate_limit_exceeded" | "tokens" | "requests" => ErrorClass::RateLimited,
        "server_error" | "overloaded" | "engine_overloaded" | "service_unavailable" => ErrorClass::Overloaded,
        "invalid_api_key" | "authentication_error" | "account_deactivated" => ErrorClass::Auth,
        // `invalid_prompt` is how reasoning models report a prompt flagged by the usage policy.
        "content_filter"
        | "content_policy_violation"
        | "image_content_policy_violation"
        | "invalid_prompt" => ErrorClass::ContentFiltered,
        "vector_store_timeout" => ErrorClass::Timeout,
        "context_length_exceeded" | "model_not_found" | "failed_to_download_image" | "empty_image_file" => {
            ErrorClass::InvalidRequest
        }
        other
            if ["invalid_", "unsupported_", "unknown_", "missing_", "image_"]
                .iter()
                .any(|p| other.starts_with(p)) =>
        {
            ErrorClass::InvalidRequest
        }
        _ => return None,
    })
}
