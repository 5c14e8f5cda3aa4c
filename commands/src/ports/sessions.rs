//! Who is signed in: sessions, and tickets that stand for one for a moment.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_domain::{SessionId, Timestamp, UserId};

use super::PortError;

/// Somebody who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// By which session; `None` when by something else.
    pub session: Option<SessionId>,
    /// Until when; `None` when that has no end of its own.
    pub until: Option<Timestamp>,
}

impl SignedIn {
    /// By no session, and without an end.
    #[must_use]
    pub fn plainly(user: UserId) -> Self {
        Self { user, session: None, until: None }
    }
}

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

    /// Who is signed in by this token; `None` when nobody is.
    async fn find(&self, token: &SecretString) -> Result<Option<SignedIn>, PortError>;

    /// Those of these that are not open, whoever's they were.
    async fn closed_among(&self, sessions: &[SessionId]) -> Result<Vec<SessionId>, PortError>;

    /// The user's sessions that are open, the newest first.
    async fn list(&self, user: UserId) -> Result<Vec<SessionSummary>, PortError>;

    /// Closes one of the user's sessions; false when the user has no such.
    async fn close(&self, user: UserId, id: SessionId) -> Result<bool, PortError>;

    /// Closes all of the user's sessions and takes back their tickets. Answers how many sessions were open.
    async fn close_all(&self, user: UserId) -> Result<u64, PortError>;
}

/// The answer to a wish for a ticket.
#[derive(Debug)]
pub enum IssuedTicket {
    /// A new one.
    Ticket(SecretString),
    /// The user has as many as they may.
    TooMany {
        /// When the first of them expires.
        retry_after: Duration,
    },
}

/// Tickets: for a client that can open a socket but not show a header or a cookie there.
///
/// Laws: a ticket is good once, for 30 s, and not longer than what it was issued to; otherwise as [`Sessions`].
#[async_trait]
pub trait Tickets: Send + Sync {
    /// A new one, unless the user has `most` that are good. Wishes at the same moment may get a little more.
    async fn issue(&self, by: SignedIn, most: u32) -> Result<IssuedTicket, PortError>;

    /// Takes one: who it was issued to; `None` when it is nobody's, was taken before, or is good no longer.
    async fn take(&self, ticket: &SecretString) -> Result<Option<SignedIn>, PortError>;
}
