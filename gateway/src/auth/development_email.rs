//! `?email=`: whoever calls from this machine is who they say, and is registered when they are new. For development.

use async_trait::async_trait;
use axum::extract::Query;
use serde::Deserialize;
use slipstream_commands::{Commands, register_user};
use slipstream_domain::EmailAddress;
use slipstream_domain::event::RegistrationVia;

use super::{Authenticate, AuthenticationError, Caller, Handshake};

/// Takes the address in `?email=` from loopback peers at its word.
pub struct DevelopmentEmail {
    app: Commands,
}

impl DevelopmentEmail {
    /// Registers through these use cases.
    #[must_use]
    pub fn new(app: Commands) -> Self {
        Self { app }
    }
}

#[derive(Deserialize)]
struct EmailQuery {
    email: Option<String>,
}

const WANTED: &str = "say who you are: ?email=a@example.com";

#[async_trait]
impl Authenticate for DevelopmentEmail {
    async fn authenticate(&self, handshake: &Handshake) -> Result<Caller, AuthenticationError> {
        let unauthenticated = AuthenticationError::Unauthenticated;
        if !handshake.peer.ip().to_canonical().is_loopback() {
            return Err(unauthenticated("?email= is taken from this machine only"));
        }
        let query = Query::<EmailQuery>::try_from_uri(&handshake.uri).map_err(|_| unauthenticated(WANTED))?;
        let email = query.0.email.ok_or_else(|| unauthenticated(WANTED))?;
        let email = EmailAddress::parse(&email).map_err(|_| unauthenticated(WANTED))?;
        let user = register_user(&self.app, &email, RegistrationVia::Development, None)
            .await
            .map_err(|error| AuthenticationError::Unavailable(Box::new(error)))?;
        Ok(Caller { user, credential: email.as_str().as_bytes().to_vec() })
    }
}
