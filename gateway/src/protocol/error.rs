//! What can be wrong with a frame, and the codes that clients are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slipstream_domain::values::{NumberError, TextError};

/// The stable code of an `error` frame and of an HTTP problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame or the query is malformed; the message names the field and what would be right.
    BadFrame,
    /// There is no frame of this type.
    UnknownType,
    /// More bytes than allowed.
    TooLarge,
    /// Nobody is signed in.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing, or it is another user's.
    NotFound,
    /// The thing has changed, or its state does not allow it.
    Conflict,
    /// A reply is being made.
    Busy,
    /// Too much at once, or within a day.
    RateLimited,
    /// Not for now, or not by this server.
    Unavailable,
    /// The fault is ours.
    Internal,
}

impl ErrorCode {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::UnknownType => "unknown_type",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Busy => "busy",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// Why a client's text is no frame. The message never repeats what a user wrote, but for a field's or a type's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not one JSON object.
    #[error("a frame must be one JSON object with a `type`: {0}")]
    NotAnObject(String),
    /// Brackets within brackets.
    #[error("a frame must not be nested deeper than {} levels", super::fields::MAX_DEPTH)]
    TooDeep,
    /// A type that does not exist.
    #[error("type `{0}` is unknown; known are: {known}", known = super::client::KNOWN_TYPES.join(", "))]
    UnknownType(String),
    /// A field is missing or wrong; the text says which, and what would be right.
    #[error("{0}")]
    Field(String),
    /// A text has too many bytes; the text says which, and how many it may have.
    #[error("{0}")]
    TooLarge(String),
}

impl FrameError {
    /// The code that clients are told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotAnObject(_) | Self::TooDeep | Self::Field(_) => ErrorCode::BadFrame,
            Self::UnknownType(_) => ErrorCode::UnknownType,
            Self::TooLarge(_) => ErrorCode::TooLarge,
        }
    }
}

impl From<TextError> for FrameError {
    fn from(error: TextError) -> Self {
        let message = error.to_string();
        match error {
            TextError::TooLong { .. } => Self::TooLarge(message),
            TextError::Empty { .. } | TextError::Malformed { .. } => Self::Field(message),
        }
    }
}

impl From<NumberError> for FrameError {
    fn from(error: NumberError) -> Self {
        Self::Field(error.to_string())
    }
}
