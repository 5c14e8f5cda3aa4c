//! Who asks: the same port as for sockets; and who may, because of a role.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use slipstream_commands::ports::SignedIn;
use slipstream_commands::role_of;
use slipstream_domain::UserId;
use slipstream_domain::event::UserRole;
use tokio::time::timeout;

use super::problem::Problem;
use crate::auth::{Handshake, Purpose, bearer};
use crate::protocol::ErrorCode;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The authenticated user of a request.
pub(super) struct AuthenticatedUser(pub(super) UserId);

impl FromRequestParts<Arc<Shared>> for AuthenticatedUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        Known::from_request_parts(parts, shared).await.map(|Known(signed_in)| Self(signed_in.user))
    }
}

/// The same, with what they are known by and until when.
pub(super) struct Known(pub(super) SignedIn);

impl FromRequestParts<Arc<Shared>> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let ConnectInfo(peer) =
            ConnectInfo::<SocketAddr>::from_request_parts(parts, shared).await.map_err(|error| {
                tracing::error!(%error, "a request has no peer");
                Problem::from(Refusal::new(
                    ErrorCode::Internal,
                    "The server does not know where the request comes from.",
                ))
            })?;
        let (uri, headers) = (parts.uri.clone(), parts.headers.clone());
        let handshake = Handshake { peer, uri, headers, purpose: Purpose::Query };
        match timeout(shared.settings.authentication, shared.authenticate.authenticate(&handshake)).await {
            Ok(Ok(caller)) => Ok(Self(caller.signed_in)),
            Ok(Err(error)) => Err(Refusal::from(error).into()),
            Err(_) => {
                Err(Refusal::new(ErrorCode::Unavailable, "Authentication took too long; try again.").into())
            }
        }
    }
}

/// An authenticated user who may read any conversation's history: role `auditor` or `admin`. Others get 403.
pub(super) struct Auditor(pub(super) UserId);

impl FromRequestParts<Arc<Shared>> for Auditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        with_role(parts, shared, UserRole::Auditor).await.map(Self)
    }
}

/// A service that signs people in: who shows the service token, or a user of role `service` or `admin`. Others get 401
/// when they are nobody, and 403.
pub(super) struct Service;

impl FromRequestParts<Arc<Shared>> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let token = shared.accounts()?.service_token.as_ref();
        if token.is_some_and(|token| shows(token, &parts.headers)) {
            return Ok(Self);
        }
        with_role(parts, shared, UserRole::Service).await.map(|_| Self)
    }
}

/// Compares hashes: how long that takes tells nothing of the token.
fn shows(token: &SecretString, headers: &HeaderMap) -> bool {
    let hash = |token: &SecretString| Sha256::digest(token.expose_secret().as_bytes());
    bearer(headers).is_some_and(|shown| hash(token) == hash(&shown))
}

/// The user of a request, when the log says now that they have what `wanted` is for.
async fn with_role(parts: &mut Parts, shared: &Arc<Shared>, wanted: UserRole) -> Result<UserId, Problem> {
    let AuthenticatedUser(user) = AuthenticatedUser::from_request_parts(parts, shared).await?;
    if role_of(&shared.app, user).await.map_err(Refusal::from)?.includes(wanted) {
        return Ok(user);
    }
    let message = format!("only who has the role {} may do this", wanted.as_str());
    Err(Refusal::new(ErrorCode::Forbidden, message).into())
}
