//! The token of a session, as `Authorization: Bearer …` or in the cookie that Auth.js sets.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use slipstream_commands::ports::Sessions;

use super::methods::Method;
use super::{AuthenticationError, Caller, Handshake};

/// Where Auth.js keeps a session's token; the second on pages of https.
const COOKIES: [&str; 2] = ["authjs.session-token", "__Secure-authjs.session-token"];

/// Whoever shows the token of an open session is its user.
pub struct SessionToken {
    sessions: Arc<dyn Sessions>,
}

impl SessionToken {
    /// Asks these sessions.
    #[must_use]
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }
}

const NOT_OPEN: &str = "the session is closed, has expired, or never was";

#[async_trait]
impl Method for SessionToken {
    async fn caller(&self, handshake: &Handshake) -> Result<Option<Caller>, AuthenticationError> {
        let Some(token) = shown(&handshake.headers) else { return Ok(None) };
        let found = self.sessions.find(&token).await;
        let found = found.map_err(|error| AuthenticationError::Unavailable(Box::new(error)))?;
        let signed_in = found.ok_or(AuthenticationError::Unauthenticated(NOT_OPEN))?;
        Ok(Some(Caller { signed_in, credential: token.expose_secret().as_bytes().to_vec() }))
    }
}

fn shown(headers: &HeaderMap) -> Option<SecretString> {
    bearer(headers).or_else(|| cookie(headers))
}

/// What follows `Bearer` in the only `Authorization` (RFC 6750, 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(only), None) = (shown.next(), shown.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
}

fn cookie(headers: &HeaderMap) -> Option<SecretString> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut tokens = pairs.filter(|(name, token)| COOKIES.contains(name) && !token.is_empty());
    tokens.next().map(|(_, token)| SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn token(headers: &[(header::HeaderName, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_static(value));
        }
        shown(&map).map(|token| token.expose_secret().to_owned())
    }

    #[test]
    fn a_token_is_taken_from_the_header_or_else_from_the_cookie() {
        let (authorization, cookie) = (header::AUTHORIZATION, header::COOKIE);
        assert_eq!(token(&[(authorization.clone(), "Bearer t1")]).unwrap(), "t1");
        assert_eq!(
            token(&[(authorization.clone(), "bearer t1"), (cookie.clone(), "authjs.session-token=t2")])
                .unwrap(),
            "t1"
        );
        assert_eq!(token(&[(cookie.clone(), "a=b; authjs.session-token=t2; c=d")]).unwrap(), "t2");
        assert_eq!(
            token(&[(cookie.clone(), "a=b"), (cookie.clone(), "__Secure-authjs.session-token=t3")]).unwrap(),
            "t3"
        );
        for (name, value) in [
            (authorization.clone(), "Basic dTpw"),
            (authorization, "Bearer"),
            (cookie.clone(), "authjs.session-token="),
            (cookie.clone(), "xauthjs.session-token=t"),
            (cookie, "authjs.session-token"),
        ] {
            assert_eq!(token(&[(name, value)]), None, "{value}");
        }
    }

    #[test]
    fn two_authorizations_are_none() {
        let one = (header::AUTHORIZATION, "Bearer t1");
        assert_eq!(token(&[one.clone(), one]), None);
    }
}
