//! `?email=`: whoever calls from this machine is who they say, and is registered when they open a socket and are new. For
//! development.

use async_trait::async_trait;
use axum::extract::Query;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use serde::Deserialize;
use slipstream_commands::ports::SignedIn;
use slipstream_commands::{CommandError, Commands, find_user, register_user};
use slipstream_domain::event::RegistrationVia;
use slipstream_domain::{EmailAddress, UserId};

use super::{Authenticate, AuthenticationError, Caller, Handshake, Purpose, is_loopback};

/// Takes the address in `?email=` from loopback peers at its word, unless a proxy stands between or the request names
/// another host than this machine: a page of elsewhere may have pointed its own name here.
pub struct DevelopmentEmail {
    app: Commands,
}

impl DevelopmentEmail {
    /// Finds and registers through these use cases.
    #[must_use]
    pub fn new(app: Commands) -> Self {
        Self { app }
    }

    async fn user(&self, email: &EmailAddress, purpose: Purpose) -> Result<Option<UserId>, CommandError> {
        match purpose {
            Purpose::Socket => {
                register_user(&self.app, email, RegistrationVia::Development, None).await.map(Some)
            }
            Purpose::Query => find_user(&self.app, email).await,
        }
    }
}

#[derive(Deserialize)]
struct EmailQuery {
    email: Option<String>,
}

const WANTED: &str = "say who you are: ?email=a@example.com";
const UNKNOWN: &str = "nobody has this address; who opens a socket with it is registered";
const LOCAL_ONLY: &str = "?email= is taken from this machine only, by its own name and without a proxy";

#[async_trait]
impl Authenticate for DevelopmentEmail {
    async fn authenticate(&self, handshake: &Handshake) -> Result<Caller, AuthenticationError> {
        let unauthenticated = AuthenticationError::Unauthenticated;
        if !is_local(handshake) {
            return Err(unauthenticated(LOCAL_ONLY));
        }
        let email = email(&handshake.uri).ok_or_else(|| unauthenticated(WANTED))?;
        let user = self.user(&email, handshake.purpose).await;
        let user = user.map_err(|error| AuthenticationError::Unavailable(Box::new(error)))?;
        let user = user.ok_or_else(|| unauthenticated(UNKNOWN))?;
        Ok(Caller { signed_in: SignedIn::plainly(user), credential: email.as_str().as_bytes().to_vec() })
    }
}

fn is_local(handshake: &Handshake) -> bool {
    let Handshake { peer, headers, .. } = handshake;
    let proxied = headers.contains_key(header::FORWARDED) || headers.contains_key("x-forwarded-for");
    peer.ip().to_canonical().is_loopback() && !proxied && names_this_machine(headers)
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter().peekable();
    let loopback = |host: &[u8]| Authority::try_from(host).is_ok_and(|host| is_loopback(&host));
    hosts.peek().is_some() && hosts.all(|host| loopback(host.as_bytes()))
}

/// The address; `None` also when its percent-encoding is wrong, which would otherwise be another's address.
pub(super) fn email(uri: &Uri) -> Option<EmailAddress> {
    if !is_percent_encoded(uri.query()?) {
        return None;
    }
    let email = Query::<EmailQuery>::try_from_uri(uri).ok()?.0.email?;
    // What is no UTF-8 has been replaced.
    if email.contains(char::REPLACEMENT_CHARACTER) { None } else { EmailAddress::parse(&email).ok() }
}

/// Whether two hexadecimal digits follow each `%`.
fn is_percent_encoded(query: &str) -> bool {
    query.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}
