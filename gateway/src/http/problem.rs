//! Errors as RFC 9457 problem details, with a stable `code` beside.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::protocol::ErrorCode;
use crate::refusal::Refusal;

/// An error as a client gets it.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after_ms: Option<u64>,
}

/// Why something was not done (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(super) struct Body {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// For programs.
    code: &'static str,
    /// When it may be worth trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_ms: Option<u64>,
}

impl Problem {
    /// A query that cannot be answered as it was asked.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "bad_request",
            detail: detail.into(),
            retry_after_ms: None,
        }
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Refusal::new(ErrorCode::NotFound, detail).into()
    }

    pub(super) fn upgrade_required() -> Self {
        Self {
            status: StatusCode::UPGRADE_REQUIRED,
            code: "upgrade_required",
            detail: "Here is a WebSocket endpoint: upgrade the connection.".to_owned(),
            retry_after_ms: None,
        }
    }

    /// An upgrade that is no handshake as RFC 6455 has it.
    pub(super) fn no_upgrade(rejection: &WebSocketUpgradeRejection) -> Self {
        Self { status: rejection.status(), ..Self::bad_request(rejection.body_text()) }
    }

    /// A body that is too large, or did not come.
    pub(super) fn no_body(rejection: &BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Refusal::new(ErrorCode::TooLarge, rejection.body_text()).into();
        }
        Self { status: rejection.status(), ..Self::bad_request(rejection.body_text()) }
    }

    pub(super) fn method_not_allowed() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "method_not_allowed",
            detail: "This cannot be done here; the header Allow names what can.".to_owned(),
            retry_after_ms: None,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message, retry_after_ms } = refusal;
        let status = match code {
            ErrorCode::BadFrame | ErrorCode::UnknownType => StatusCode::BAD_REQUEST,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Conflict | ErrorCode::Busy => StatusCode::CONFLICT,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, code: code.as_str(), detail: message, retry_after_ms }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, retry_after_ms } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body =
            Body { r#type: "about:blank", title, status: status.as_u16(), detail, code, retry_after_ms };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110, 15.5.22: the answer names the protocol.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
        if let Some(millis) = retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
        }
        response
    }
}
