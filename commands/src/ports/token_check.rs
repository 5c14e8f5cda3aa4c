//! Tokens that another service has signed, and what they say.

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_domain::{EmailAddress, Timestamp, UserId};

/// What a token says that may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// Whom it stands for.
    pub subject: TokenSubject,
    /// Until when it is good.
    pub until: Timestamp,
}

/// Whom a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSubject {
    /// Whoever has this address, which its issuer has verified.
    Address {
        /// The address.
        address: EmailAddress,
        /// Their name.
        name: Option<String>,
    },
    /// A user, by our own id.
    User(UserId),
}

/// Why a token is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is not good; the text says why.
    #[error("{0}")]
    Refused(&'static str),
    /// It cannot be told for now.
    #[error("tokens cannot be checked for now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Checks tokens.
///
/// Laws: a token is believed when it is signed by whom it should be, for us, in its time, and only then; it is part of no
/// error.
#[async_trait]
pub trait TokenCheck: Send + Sync {
    /// What a token says. May be dropped half-way.
    ///
    /// # Errors
    /// See [`TokenError`].
    async fn check(&self, token: &SecretString) -> Result<TokenClaims, TokenError>;
}
