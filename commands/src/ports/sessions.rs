//! Who is signed in: sessions, and tickets that stand for one for a moment.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_domain::{SessionId, Timestamp, UserId};

use super::PortError;

/// A session that was just opened.
#[derive(Debug)]
pub struct OpenedSession {
    /// Which, for lists; gives no access.
    pub id: SessionId,
    /// What gives access. Shown this once: it is not kept.
    pub token: SecretString,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A session as its user sees it in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSummary {
    /// Which.
    pub id: SessionId,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Sessions.
///
/// Laws: a token is good from its opening until its session is closed or has expired, whoever asks; none can be guessed,
/// and none can be read out of what is kept; a token is part of no error.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Opens one that expires after `valid`.
    async fn open(&self, user: UserId, valid: Duration) -> Result<OpenedSession, PortError>;

    /// Whose session this is the token of; `None` when of nobody's.
    async fn find(&self, token: &SecretString) -> Result<Option<UserId>, PortError>;

    /// The user's sessions that are open, the newest first.
    async fn list(&self, user: UserId) -> Result<Vec<SessionSummary>, PortError>;

    /// Closes one of the user's sessions; false when the user has no such.
    async fn close(&self, user: UserId, id: SessionId) -> Result<bool, PortError>;

    /// Closes all of the user's sessions and takes back their tickets. Answers how many sessions were open.
    async fn close_all(&self, user: UserId) -> Result<u64, PortError>;
}

/// Tickets: for a client that can open a socket but not show a header or a cookie there.
///
/// Laws: a ticket is good once, and for 30 s; otherwise as [`Sessions`].
#[async_trait]
pub trait Tickets: Send + Sync {
    /// A new one.
    async fn issue(&self, user: UserId) -> Result<SecretString, PortError>;

    /// Takes one: whose it is; `None` when it is nobody's, was taken before, or has expired.
    async fn take(&self, ticket: &SecretString) -> Result<Option<UserId>, PortError>;
}
