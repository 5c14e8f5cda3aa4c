//! A JSON Web Token of a service that signs people in, as `Authorization: Bearer …`.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use slipstream_commands::ports::{SignedIn, TokenCheck, TokenError, TokenSubject};
use slipstream_commands::{CommandError, Commands, register_user, role_of};
use slipstream_domain::UserId;
use slipstream_domain::event::RegistrationVia;

use super::methods::Method;
use super::session_token::bearer;
use super::{AuthenticationError, Caller, Handshake};

/// Whoever shows a token that is believed is whom it stands for. An address that nobody has is a new user's.
pub struct Jwt {
    app: Commands,
    tokens: Arc<dyn TokenCheck>,
}

impl Jwt {
    /// Believes what `tokens` believes.
    #[must_use]
    pub fn new(app: Commands, tokens: Arc<dyn TokenCheck>) -> Self {
        Self { app, tokens }
    }

    async fn user(&self, subject: TokenSubject) -> Result<UserId, AuthenticationError> {
        let user = match subject {
            TokenSubject::Address { address, name } => {
                register_user(&self.app, &address, RegistrationVia::Service, name).await
            }
            TokenSubject::User(user) => role_of(&self.app, user).await.map(|_| user),
        };
        user.map_err(|error| {
            if matches!(error, CommandError::NotFound(_) | CommandError::Erased) {
                AuthenticationError::Unauthenticated(NOBODY)
            } else {
                AuthenticationError::Unavailable(Box::new(error))
            }
        })
    }
}

const NOBODY: &str = "the token's sub is the id of no user";

/// A client that comes back may show another token: it is known again by its user and its User-Agent.
const CREDENTIAL: &[u8] = b"jwt";

#[async_trait]
impl Method for Jwt {
    async fn caller(&self, handshake: &Handshake) -> Result<Option<Caller>, AuthenticationError> {
        let shown = bearer(&handshake.headers).filter(is_compact);
        let Some(token) = shown else { return Ok(None) };
        let claims = self.tokens.check(&token).await.map_err(|error| match error {
            TokenError::Refused(why) => AuthenticationError::Unauthenticated(why),
            TokenError::Unavailable(cause) => AuthenticationError::Unavailable(cause),
        })?;
        let user = self.user(claims.subject).await?;
        let signed_in = SignedIn { user, session: None, until: Some(claims.until) };
        Ok(Some(Caller { signed_in, credential: CREDENTIAL.to_vec() }))
    }
}

/// Header, claims and signature, with dots between (RFC 7515, 7.1). The token of a session has none.
fn is_compact(token: &SecretString) -> bool {
    token.expose_secret().bytes().filter(|byte| *byte == b'.').count() == 2
}
