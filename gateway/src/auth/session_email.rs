//! `?email=`, the handshake of the existing web client, for its WebSocket alone. An address is no secret: it counts only from a page on the
//! allow-list, and only while its user is signed in. Off unless it is asked for.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::header;
use slipstream_commands::ports::{Sessions, SignedIn};
use slipstream_commands::{Commands, find_user};

use super::development_email::email;
use super::methods::Method;
use super::{AuthenticationError, Caller, Handshake, Purpose};

/// Takes the address in `?email=` at its word from allowed pages, when its user has an open session.
pub struct SessionEmail {
    app: Commands,
    sessions: Arc<dyn Sessions>,
    allowed_origins: Vec<String>,
}

impl SessionEmail {
    /// `allowed_origins`: the pages; a request without an `Origin` is from none.
    #[must_use]
    pub fn new(app: Commands, sessions: Arc<dyn Sessions>, allowed_origins: Vec<String>) -> Self {
        Self { app, sessions, allowed_origins }
    }
}

const NOT_SIGNED_IN: &str = "?email= counts from an allowed page only, while its user is signed in";

#[async_trait]
impl Method for SessionEmail {
    async fn caller(&self, handshake: &Handshake) -> Result<Option<Caller>, AuthenticationError> {
        let (Some(email), Purpose::Socket) = (email(&handshake.uri), handshake.purpose) else {
            return Ok(None);
        };
        let no = AuthenticationError::Unauthenticated(NOT_SIGNED_IN);
        let mut origins = handshake.headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return Err(no) };
        if !self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
            return Err(no);
        }
        let found = find_user(&self.app, &email).await;
        let found = found.map_err(|error| AuthenticationError::Unavailable(Box::new(error)))?;
        let Some(user) = found else { return Err(no) };
        let open = self.sessions.list(user).await;
        let open = open.map_err(|error| AuthenticationError::Unavailable(Box::new(error)))?;
        // The newest: when that is closed, whoever has another open is let in again by that.
        let Some(newest) = open.first() else { return Err(no) };
        let signed_in = SignedIn { user, session: Some(newest.id), until: Some(newest.expires_at) };
        Ok(Some(Caller { signed_in, credential: email.as_str().as_bytes().to_vec() }))
    }
}
