//! The ways a socket ends, and the close codes of the protocol.

use axum::extract::ws::CloseFrame;
use slipstream_projections::CloseKind;

/// A close that we begin. Codes below 4000 are those of RFC 6455, 7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Close {
    code: u16,
    reason: &'static str,
}

impl Close {
    pub(crate) const INVALID_UTF8: Self = Self { code: 1007, reason: "text frames are UTF-8" };
    pub(crate) const FRAME_TOO_LARGE: Self = Self { code: 1009, reason: "frame too large" };
    pub(crate) const PROTOCOL: Self = Self { code: 1002, reason: "protocol error" };
    pub(crate) const DRAINING: Self = Self { code: 1012, reason: "draining, reconnect" };
    pub(crate) const UNAVAILABLE: Self = Self { code: 1013, reason: "unavailable, try again later" };
    pub(crate) const TOO_LATE: Self = Self::not_authenticated("authentication took too long");
    pub(crate) const ORIGIN: Self = Self { code: 4003, reason: "origin not allowed" };
    pub(crate) const TOO_SLOW: Self = Self { code: 4008, reason: "consumer too slow" };
    pub(crate) const HEARTBEAT: Self = Self { code: 4010, reason: "heartbeat missed" };
    pub(crate) const TOO_MANY_SOCKETS: Self = Self { code: 4029, reason: "too many connections" };
    pub(crate) const TOO_MANY_FRAMES: Self = Self { code: 4029, reason: "too many frames" };

    /// `wanted` says what would be right, in at most 123 bytes (RFC 6455, 5.5).
    pub(crate) const fn not_authenticated(wanted: &'static str) -> Self {
        Self { code: 4001, reason: wanted }
    }

    pub(crate) fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code, reason: self.reason.into() }
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
