//! Whether a token may be believed, and what it says. The time is the clock's of whoever asks, not the machine's.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use slipstream_commands::ports::{Clock, TokenCheck, TokenClaims, TokenError, TokenSubject};
use slipstream_domain::{EmailAddress, Timestamp};
use url::{Host, Url};

use crate::crypto;
use crate::published::PublishedKeys;

/// Clocks of issuers go wrong by so much.
const LEEWAY: Duration = Duration::from_mins(1);
/// A token's end is not farther away than this: nobody reckons with more.
const LONGEST: Duration = Duration::from_hours(366 * 24);
/// A key of HS256 is at least as long as its hash (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

/// Whose tokens are believed.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    /// What tokens of HS256 are signed with.
    pub secret: Option<SecretString>,
    /// Where the issuer publishes the keys of its other tokens.
    pub jwks_url: Option<Url>,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or hold.
    pub audience: String,
}

/// Settings by which no token could be believed, or every one.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No token could be checked.
    #[error("neither a secret nor a URL of keys is set")]
    NoKeys,
    /// It could be guessed.
    #[error("the secret must have at least {SHORTEST_SECRET} bytes")]
    ShortSecret,
    /// Whoever stands between could publish keys of their own.
    #[error("the URL of the keys must begin with https://, or lead to this machine")]
    NotHttps,
    /// There is no HTTP client. Should not happen.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
}

/// Believes tokens by these settings.
pub struct JwtVerifier {
    secret: Option<DecodingKey>,
    published: Option<PublishedKeys>,
    validation: Validation,
    clock: Arc<dyn Clock>,
}

/// What is read of a token (RFC 7519, 4.1; `OpenID` Connect Core, 5.1).
#[derive(Deserialize)]
struct Claims {
    exp: f64,
    nbf: Option<f64>,
    sub: Option<String>,
    email: Option<String>,
    email_verified: Option<serde_json::Value>,
    name: Option<String>,
}

const NO_TOKEN: &str = "the token is none, or is signed in a way that is not taken";
const UNREADABLE: &str = "the token's header demands what is not understood";
const FORGED: &str = "the token is not signed by whom it should be";
const EXPIRED: &str = "the token has expired";
const EARLY: &str = "the token is not good yet";
const FOREIGN_ISSUER: &str = "the token is of another issuer";
const FOREIGN_AUDIENCE: &str = "the token is for another audience";
const INCOMPLETE: &str = "the token must have iss, aud and exp";
const UNVERIFIED: &str = "the token's email is not verified";
const NOBODY: &str = "the token names nobody: it must have an email, or the id of a user as sub";

impl JwtVerifier {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(settings: JwtSettings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        crypto::install();
        let JwtSettings { secret, jwks_url, issuer, audience } = settings;
        if secret.is_none() && jwks_url.is_none() {
            return Err(SettingsError::NoKeys);
        }
        let published = jwks_url.map(|url| publisher(url, &clock)).transpose()?;
        let mut validation = Validation::default();
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        // The clock is ours.
        validation.validate_exp = false;
        Ok(Self { secret: secret.as_ref().map(decoding_key).transpose()?, published, validation, clock })
    }

    async fn key(&self, algorithm: Algorithm, id: Option<&str>) -> Result<DecodingKey, TokenError> {
        // A secret is for HS256 alone, and what is published never for HS256: no key is taken for what it is not.
        match (algorithm, &self.secret, &self.published) {
            (Algorithm::HS256, Some(secret), _) => Ok(secret.clone()),
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _, Some(published)) => {
                published.key(id, algorithm).await
            }
            _ => Err(TokenError::Refused(NO_TOKEN)),
        }
    }

    /// Until when the token is good.
    fn in_time(&self, claims: &Claims) -> Result<Timestamp, TokenError> {
        let (now, leeway) = (self.clock.now(), LEEWAY.as_secs_f64());
        let until = timestamp(claims.exp + leeway);
        if until <= now {
            return Err(TokenError::Refused(EXPIRED));
        }
        if claims.nbf.is_some_and(|nbf| timestamp(nbf - leeway) > now) {
            return Err(TokenError::Refused(EARLY));
        }
        Ok(until.min(timestamp(seconds(now) + LONGEST.as_secs_f64())))
    }
}

#[async_trait]
impl TokenCheck for JwtVerifier {
    async fn check(&self, token: &SecretString) -> Result<TokenClaims, TokenError> {
        let token = token.expose_secret();
        let header = decode_header(token).map_err(|_| TokenError::Refused(NO_TOKEN))?;
        // RFC 7515, 4.1.11: what must be understood and is not spoils the token.
        if header.crit.is_some() {
            return Err(TokenError::Refused(UNREADABLE));
        }
        let key = self.key(header.alg, header.kid.as_deref()).await?;
        let validation = Validation { algorithms: vec![header.alg], ..self.validation.clone() };
        let claims: Claims = decode(token, &key, &validation).map_err(|error| refusal(&error))?.claims;
        Ok(TokenClaims { until: self.in_time(&claims)?, subject: subject(claims)? })
    }
}

fn publisher(url: Url, clock: &Arc<dyn Clock>) -> Result<PublishedKeys, SettingsError> {
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && here) {
        return Ok(PublishedKeys::new(url, clock.clone())?);
    }
    Err(SettingsError::NotHttps)
}

fn decoding_key(secret: &SecretString) -> Result<DecodingKey, SettingsError> {
    let bytes = secret.expose_secret().as_bytes();
    if bytes.len() < SHORTEST_SECRET {
        Err(SettingsError::ShortSecret)
    } else {
        Ok(DecodingKey::from_secret(bytes))
    }
}

fn subject(claims: Claims) -> Result<TokenSubject, TokenError> {
    let Some(email) = claims.email else {
        let user = claims.sub.and_then(|sub| sub.parse().ok());
        return user.map(TokenSubject::User).ok_or(TokenError::Refused(NOBODY));
    };
    // Some issuers write it as text. One that says nothing may let its users write what they like.
    if claims.email_verified.is_none_or(|verified| verified != true && verified != "true") {
        return Err(TokenError::Refused(UNVERIFIED));
    }
    let address = EmailAddress::parse(&email).map_err(|_| TokenError::Refused(NOBODY))?;
    Ok(TokenSubject::Address { address, name: claims.name })
}

fn seconds(at: Timestamp) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "microseconds of this century fit")]
    (at.micros() as f64 / 1e6)
}

/// From seconds; what is beyond all time is its end.
fn timestamp(seconds: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
    Timestamp::from_micros((seconds * 1e6) as i64)
}

/// Never quotes: the token is in no error.
#[allow(clippy::wildcard_enum_match_arm, reason = "the enum is of another crate, and grows")]
fn refusal(error: &jsonwebtoken::errors::Error) -> TokenError {
    TokenError::Refused(match error.kind() {
        ErrorKind::InvalidIssuer => FOREIGN_ISSUER,
        ErrorKind::InvalidAudience => FOREIGN_AUDIENCE,
        ErrorKind::InvalidSignature => FORGED,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => INCOMPLETE,
        _ => NO_TOKEN,
    })
}
