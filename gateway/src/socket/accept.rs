//! Whether an upgraded connection becomes a socket: origin, authentication, the user's number of sockets.
//!
//! Nothing is read until that is decided: what the client sends meanwhile waits in the connection, in order, and cannot
//! grow past what the kernel keeps for it. A no is a close code, because a browser shows its page no HTTP status.

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use axum::http::header;
use axum::http::uri::Authority;
use futures::stream::iter;
use futures::{SinkExt, StreamExt};
use slipstream_commands::locate_person;
use slipstream_domain::UserId;
use tokio::time::timeout;

use super::Speaks;
use super::address::client_address;
use super::close::Close;
use super::connections::Counted;
use super::session::Session;
use crate::auth::{AuthenticationError, Caller, Handshake, fingerprint, is_loopback};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::whereabouts::whereabouts;

/// Makes an upgraded connection a socket, or closes it.
pub(crate) async fn accept(shared: Arc<Shared>, mut ws: WebSocket, handshake: Handshake, speaks: Speaks) {
    let admitted = tokio::select! {
        () = shared.drain.cancelled() => Err(Close::DRAINING),
        admitted = admit(&shared, &handshake) => admitted,
    };
    match admitted {
        Ok((caller, counted)) => {
            let fingerprint = fingerprint(&caller, &handshake.headers);
            locate(&shared, caller.signed_in.user, &handshake);
            let (sink, stream) = ws.split();
            let (tasks, sockets) = (shared.tasks.clone(), shared.sockets.clone());
            let session = Session::new(shared, caller.signed_in, fingerprint, speaks, counted);
            // On a task of its own, so that an idle socket keeps nothing of what letting it in took.
            tasks.spawn(sockets.track_future(session.run(sink, stream)));
        }
        Err(close) => {
            let request_id = shared.ids.uuid();
            let goodbye = async {
                if ws.send_all(&mut iter(close.farewell(request_id).map(Ok))).await.is_ok() {
                    while let Some(Ok(_)) = ws.recv().await {}
                }
            };
            // Whether the client waited for it makes no difference.
            drop(timeout(shared.settings.goodbye, goodbye).await);
        }
    }
}

/// What a socket is counted by.
pub(super) struct Admission {
    _user: Counted,
    _address: Option<Counted>,
}

/// Notes where a client that tells it is; nobody waits for that.
fn locate(shared: &Arc<Shared>, user: UserId, handshake: &Handshake) {
    let Some(to) = whereabouts(&handshake.headers) else { return };
    let app = shared.app.clone();
    shared.tasks.spawn(async move {
        if let Err(error) = locate_person(&app, user, to).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "where a user is was not noted");
        }
    });
}

async fn admit(shared: &Shared, handshake: &Handshake) -> Result<(Caller, Admission), Close> {
    if !origin_allowed(&shared.settings, handshake) {
        return Err(Close::ORIGIN);
    }
    // Counted before it is known who they are: who never says it is counted, too.
    let (connections, settings) = (&shared.connections, &shared.settings);
    let address = client_address(settings, handshake.peer.ip(), &handshake.headers);
    let counted =
        address.map(|address| connections.count_address(address, settings).ok_or(Close::TOO_MANY_SOCKETS));
    let address = counted.transpose()?;
    let authenticated = timeout(shared.settings.authentication, shared.authenticate.authenticate(handshake));
    let caller = match authenticated.await {
        Ok(Ok(caller)) => caller,
        Ok(Err(AuthenticationError::Unauthenticated(wanted))) => {
            return Err(Close::not_authenticated(wanted));
        }
        Err(_) => return Err(Close::TOO_LATE),
        Ok(Err(error @ AuthenticationError::Unavailable(_))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a socket cannot be authenticated");
            return Err(Close::UNAVAILABLE);
        }
    };
    let user = connections.count(caller.signed_in.user, settings).ok_or(Close::TOO_MANY_SOCKETS)?;
    Ok((caller, Admission { _user: user, _address: address }))
}

fn origin_allowed(settings: &Settings, handshake: &Handshake) -> bool {
    let Some(origin) = handshake.headers.get(header::ORIGIN) else { return true };
    if settings.allowed_origins.is_empty() {
        return origin.to_str().is_ok_and(is_loopback_origin);
    }
    settings.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
}

/// A page of this machine. Any other page in the browser of who develops here could act for them.
fn is_loopback_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.and_then(|host| host.parse().ok()).is_some_and(|host: Authority| is_loopback(&host))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Uri};

    use super::*;
    use crate::auth::Purpose;

    fn allowed(list: &[&str], peer: &str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let allowed_origins = list.iter().map(|&origin| origin.to_owned()).collect();
        let settings = Settings { allowed_origins, ..Settings::default() };
        let handshake = Handshake {
            peer: peer.parse().unwrap(),
            uri: Uri::from_static("/"),
            headers,
            purpose: Purpose::Socket,
        };
        origin_allowed(&settings, &handshake)
    }

    #[test]
    fn without_a_list_only_pages_of_this_machine_may_and_clients_that_are_no_browsers() {
        let peer = "127.0.0.1:1";
        for origin in
            ["http://localhost:3000", "https://LOCALHOST", "http://127.0.0.1:1", "http://[::1]:8080"]
        {
            assert!(allowed(&[], peer, Some(origin)), "{origin}");
        }
        for origin in [
            "https://any.example",
            "null",
            "http://localhost.evil.example",
            "http://localhost:3000@evil.example",
            "http://127.0.0.1.evil.example",
            "file://localhost",
            "localhost",
        ] {
            assert!(!allowed(&[], peer, Some(origin)), "{origin}");
        }
        assert!(allowed(&[], peer, None));
    }

    #[test]
    fn with_a_list_only_those_on_it_may_and_clients_that_are_no_browsers() {
        let list = ["https://chat.example.com"];
        assert!(allowed(&list, "192.0.2.1:1", Some("https://chat.example.com")));
        assert!(!allowed(&list, "127.0.0.1:1", Some("https://chat.example.com.evil.example")));
        assert!(allowed(&list, "192.0.2.1:1", None));
    }
}
