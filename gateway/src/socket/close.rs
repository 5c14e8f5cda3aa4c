//! The ways a socket ends, and the close codes of the protocol.

use axum::extract::ws::{CloseFrame, Message};
use slipstream_projections::CloseKind;
use uuid::Uuid;

use crate::protocol::{ErrorCode, ErrorFrame, ServerFrame};

/// A close that we begin. Codes below 4000 are those of RFC 6455, 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Close {
    code: u16,
    reason: &'static str,
    /// When it may be tried again, in milliseconds: told in an `error` frame before, since a close has no room for it.
    retry_after_ms: Option<u64>,
}

impl Close {
    pub(crate) const INVALID_UTF8: Self = Self::new(1007, "text frames are UTF-8");
    pub(crate) const FRAME_TOO_LARGE: Self = Self::new(1009, "frame too large");
    pub(crate) const PROTOCOL: Self = Self::new(1002, "protocol error");
    pub(crate) const DRAINING: Self = Self::new(1012, "draining, reconnect");
    pub(crate) const UNAVAILABLE: Self = Self::new(1013, "unavailable, try again later");
    pub(crate) const TOO_LATE: Self = Self::not_authenticated("authentication took too long");
    pub(crate) const SIGNED_OUT: Self = Self::not_authenticated("signed out");
    pub(crate) const ORIGIN: Self = Self::new(4003, "origin not allowed");
    pub(crate) const TOO_SLOW: Self = Self::new(4008, "consumer too slow");
    pub(crate) const HEARTBEAT: Self = Self::new(4010, "heartbeat missed");
    pub(crate) const TOO_MANY_SOCKETS: Self =
        Self { retry_after_ms: Some(10_000), ..Self::new(4029, "too many connections") };
    pub(crate) const TOO_MANY_FRAMES: Self =
        Self { retry_after_ms: Some(1_000), ..Self::new(4029, "too many frames") };

    /// `wanted` says what would be right, in at most 123 bytes (RFC 6455, 5.5).
    pub(crate) const fn not_authenticated(wanted: &'static str) -> Self {
        Self::new(4001, wanted)
    }

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason, retry_after_ms: None }
    }

    /// The last that the client gets. `request_id` names it in the log, too.
    pub(super) fn farewell(self, request_id: Uuid) -> impl Iterator<Item = Message> {
        let error = self.retry_after_ms.and_then(|retry_after_ms| {
            let (code, message) = (ErrorCode::RateLimited, self.reason.to_owned());
            tracing::debug!(%request_id, code = code.as_str(), "a socket is closed");
            let retry_after_ms = Some(retry_after_ms);
            let error = ServerFrame::Error(ErrorFrame { code, message, request_id, retry_after_ms });
            serde_json::to_string(&error).ok().map(|text| Message::Text(text.into()))
        });
        let close = CloseFrame { code: self.code, reason: self.reason.into() };
        error.into_iter().chain([Message::Close(Some(close))])
    }
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// We close it.
    Ours(Close),
    /// The client closed it, with this code if it gave one.
    Theirs(Option<u16>),
    /// The connection broke.
    Broken,
}

impl End {
    /// What it means for the client that comes back: after "going away" (1001) it shows nothing any more.
    pub(crate) fn kind(self) -> CloseKind {
        match self {
            Self::Theirs(Some(1001)) => CloseKind::Reload,
            Self::Theirs(_) | Self::Ours(_) | Self::Broken => CloseKind::Lost,
        }
    }
}
