//! From what went wrong inside to what a client is told: one total function. A client learns nothing of our insides;
//! the operator finds the cause in the log, where it is written once.

use std::num::NonZeroU32;
use std::time::Duration;

use slipstream_commands::ports::{FetchError, PortError};
use slipstream_commands::{AttachmentError, CommandError};
use slipstream_domain::attachment::LimitRejection;
use slipstream_projections::QueryError;

use crate::auth::AuthenticationError;
use crate::catalogue::UnknownName;
use crate::protocol::{ErrorCode, FrameError};

/// A no, as a client is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u64>,
}

/// After this long it is worth trying again what did not answer: the log's own retries are over by then.
const RETRY_AFTER_MS: u64 = 1_000;
/// The same for what is over when something that runs has ended: nobody knows when.
pub(crate) const SOON: Duration = Duration::from_millis(RETRY_AFTER_MS);

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_ms: None }
    }

    fn unavailable() -> Self {
        let message = "The server cannot do this for now; try again.";
        Self { retry_after_ms: Some(RETRY_AFTER_MS), ..Self::new(ErrorCode::Unavailable, message) }
    }

    /// The server goes down; another, or the same a little later, takes the request.
    pub(crate) fn draining() -> Self {
        let message = "The server is restarting; try again in a moment.";
        Self { retry_after_ms: Some(RETRY_AFTER_MS), ..Self::new(ErrorCode::Unavailable, message) }
    }

    /// A socket has as much under way as it may.
    pub(crate) fn too_many_at_once(most: u32) -> Self {
        Self::too_many(format!("at most {most} replies and fetches at once on one connection"), SOON)
    }

    /// So many at once or in a while, and no more: what there may be at most, and when one more may be tried.
    pub(crate) fn too_many(what: impl Into<String>, retry_after: Duration) -> Self {
        let retry_after_ms = Some(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX));
        Self { retry_after_ms, ..Self::new(ErrorCode::RateLimited, what) }
    }

    /// All messages of a day on the operator's keys are used.
    fn free_limit(most: NonZeroU32, retry_after: Duration) -> Self {
        let minutes = retry_after.as_secs().div_ceil(60);
        let wait = match (minutes / 60, minutes % 60) {
            (0, minutes) => format!("{minutes} min"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        };
        let message = format!(
            "You have used all {most} messages of a day on this server's keys. The next one is free in {wait}; with a \
             provider key of your own there is no such limit."
        );
        Self::too_many(message, retry_after)
    }

    fn internal() -> Self {
        Self::new(ErrorCode::Internal, "The server made a mistake; the operator finds it in the log.")
    }
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<UnknownName> for Refusal {
    fn from(unknown: UnknownName) -> Self {
        Self::new(ErrorCode::BadFrame, unknown.message)
    }
}

impl From<PortError> for Refusal {
    fn from(error: PortError) -> Self {
        CommandError::from(error).into()
    }
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        match &error {
            CommandError::NotFound("conversation") => Self::new(
                ErrorCode::NotFound,
                "no such conversation: conversationId must be `new-chat` or the id of one of your conversations",
            ),
            CommandError::NotFound(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            CommandError::UnknownParent(_) | CommandError::WrongMessage(_) => {
                Self::new(ErrorCode::BadFrame, error.to_string())
            }
            CommandError::Busy | CommandError::QueueFull => Self::new(ErrorCode::Busy, error.to_string()),
            CommandError::FreeLimit { most, retry_after } => Self::free_limit(*most, *retry_after),
            CommandError::Ended { .. } => Self::new(ErrorCode::Conflict, error.to_string()),
            CommandError::Contended => Self {
                retry_after_ms: Some(RETRY_AFTER_MS),
                ..Self::new(ErrorCode::Conflict, error.to_string())
            },
            CommandError::Erased => Self::new(ErrorCode::Forbidden, error.to_string()),
            CommandError::TooLarge => Self::new(ErrorCode::TooLarge, error.to_string()),
            CommandError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a use case is unavailable");
                Self::unavailable()
            }
            CommandError::Fenced { .. }
            | CommandError::OutOfOrder { .. }
            | CommandError::Unreadable(_)
            | CommandError::Damaged(_)
            | CommandError::Inner(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a use case failed");
                Self::internal()
            }
        }
    }
}

impl From<AttachmentError> for Refusal {
    fn from(error: AttachmentError) -> Self {
        let code = match error {
            AttachmentError::Command(error) => return error.into(),
            AttachmentError::NotFound => ErrorCode::NotFound,
            AttachmentError::Limit(LimitRejection::TooLarge { .. } | LimitRejection::Quota { .. }) => {
                ErrorCode::TooLarge
            }
            AttachmentError::Limit(LimitRejection::TooManyOpen { .. }) => {
                return Self::too_many(error.to_string(), SOON);
            }
            AttachmentError::Limit(LimitRejection::Type(_) | LimitRejection::Empty) => ErrorCode::BadFrame,
            AttachmentError::NotUploaded | AttachmentError::Failed(_) => ErrorCode::Conflict,
            AttachmentError::Fetch(ref error) => match error {
                FetchError::NotPublic => ErrorCode::Forbidden,
                FetchError::Status(_) | FetchError::Redirect | FetchError::TooManyRedirects => {
                    ErrorCode::Conflict
                }
                FetchError::Unreachable | FetchError::TimedOut | FetchError::NotOffered => {
                    ErrorCode::Unavailable
                }
            },
        };
        Self::new(code, error.to_string())
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match &error {
            QueryError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a query is unavailable");
                Self::unavailable()
            }
            QueryError::Unreadable(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a query failed");
                Self::internal()
            }
        }
    }
}

impl From<AuthenticationError> for Refusal {
    fn from(error: AuthenticationError) -> Self {
        match &error {
            AuthenticationError::Unauthenticated(wanted) => Self::new(ErrorCode::Unauthorized, *wanted),
            AuthenticationError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "authentication is unavailable");
                Self::unavailable()
            }
        }
    }
}
