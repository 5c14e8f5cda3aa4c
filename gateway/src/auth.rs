//! Who is calling: the port, and the methods that there are. Refuses to know what a caller may do.

mod development_email;
mod jwt;
mod methods;
mod session_email;
mod session_token;
mod ticket;

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use sha2::{Digest, Sha256};
use slipstream_commands::ports::SignedIn;

pub use development_email::DevelopmentEmail;
pub use jwt::Jwt;
pub use methods::{Method, Methods};
pub use session_email::SessionEmail;
pub use session_token::SessionToken;
pub use ticket::Ticket;

pub(crate) use session_token::bearer;

/// What a caller shows: a request's head and where it comes from.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// Path and query. May hold credentials: never logged.
    pub uri: Uri,
    /// The headers. May hold credentials: never logged.
    pub headers: HeaderMap,
    /// For what.
    pub purpose: Purpose,
}

/// What a caller wants to be known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A socket: who is new may become known by it.
    Socket,
    /// A request that only reads: it makes nobody known.
    Query,
}

/// A known caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who, by what and until when.
    pub signed_in: SignedIn,
    /// What they have shown, for recognising the same client when it comes back. Never logged or stored as it is.
    pub credential: Vec<u8>,
}

/// Why a caller is not known.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// They have shown nothing that counts; the text says what would.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// It cannot be told for now.
    #[error("authentication is unavailable for now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Tells who is calling.
///
/// Laws: the same credentials give the same user until they are withdrawn; no error holds a credential.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// Who is calling. May be dropped half-way.
    ///
    /// # Errors
    /// See [`AuthenticationError`].
    async fn authenticate(&self, handshake: &Handshake) -> Result<Caller, AuthenticationError>;
}

/// What a client that comes back shows again: SHA-256 of its credential and its User-Agent.
pub(crate) fn fingerprint(caller: &Caller, headers: &HeaderMap) -> [u8; 32] {
    let agent = headers.get(header::USER_AGENT).map_or(&[][..], |agent| agent.as_bytes());
    let mut hash = Sha256::new();
    hash.update(caller.credential.len().to_le_bytes());
    hash.update(&caller.credential);
    hash.update(agent);
    hash.finalize().into()
}

/// Whether this names the machine itself: `localhost` or a loopback address, whatever the port.
pub(crate) fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    !authority.as_str().contains('@')
        && (host.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback()))
}
