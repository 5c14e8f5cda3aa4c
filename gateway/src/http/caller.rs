//! Who asks: the same port as for sockets.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use slipstream_domain::UserId;
use tokio::time::timeout;

use super::problem::Problem;
use crate::auth::{Handshake, Purpose};
use crate::protocol::ErrorCode;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The authenticated user of a request.
pub(super) struct AuthenticatedUser(pub(super) UserId);

impl FromRequestParts<Arc<Shared>> for AuthenticatedUser {
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
            Ok(Ok(caller)) => Ok(Self(caller.user)),
            Ok(Err(error)) => Err(Refusal::from(error).into()),
            Err(_) => {
                Err(Refusal::new(ErrorCode::Unavailable, "Authentication took too long; try again.").into())
            }
        }
    }
}
