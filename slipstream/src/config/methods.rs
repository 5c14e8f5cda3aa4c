//! `auth.methods`: how people are known, and whose tokens are believed.

use slipstream_jwt::JwtSettings;
use url::Url;

use super::error::ConfigError;
use super::settings::Auth;

/// A way to be known.
#[derive(Debug, Clone)]
pub(crate) enum AuthMethod {
    /// `?ticket=`.
    Ticket,
    /// A JSON Web Token.
    Jwt(JwtSettings),
    /// A session's token.
    Session,
    /// `?email=` from an allowed page, of somebody who is signed in.
    Email,
}

const NAMES: &str = "ticket, jwt, session, email";

/// # Errors
/// A name of none; a method that lacks what it needs.
pub(super) fn methods(auth: &Auth) -> Result<Vec<AuthMethod>, ConfigError> {
    let method = |name: &String| match name.as_str() {
        "ticket" => Ok(AuthMethod::Ticket),
        "jwt" => jwt(auth).map(AuthMethod::Jwt),
        "session" => Ok(AuthMethod::Session),
        "email" => Ok(AuthMethod::Email),
        _ => Err(ConfigError::Other(format!("auth.methods: there is no method {name}; there are {NAMES}"))),
    };
    auth.methods.iter().map(method).collect()
}

fn jwt(auth: &Auth) -> Result<JwtSettings, ConfigError> {
    let wanted = |what: &str| ConfigError::Other(format!("auth.methods has jwt: {what} must be set, too"));
    let url = |text: &String| {
        let right = "auth.jwks_url must be a URL such as https://login.example.com/.well-known/jwks.json";
        Url::parse(text).map_err(|_| ConfigError::Other(right.to_owned()))
    };
    if auth.jwt_secret.is_none() && auth.jwks_url.is_none() {
        return Err(wanted("auth.jwt_secret (JWT_SECRET) or auth.jwks_url"));
    }
    Ok(JwtSettings {
        secret: auth.jwt_secret.clone(),
        jwks_url: auth.jwks_url.as_ref().map(url).transpose()?,
        issuer: auth.jwt_issuer.clone().ok_or_else(|| wanted("auth.jwt_issuer"))?,
        audience: auth.jwt_audience.clone().ok_or_else(|| wanted("auth.jwt_audience"))?,
    })
}
