//! WebSocket upgrades, on any path.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::auth::{Handshake, Purpose};
use crate::protocol::V1;
use crate::shared::Shared;
use crate::socket::{Speaks, accept};

/// The memory of an idle socket is this and little else; tungstenite's own default is 128 KiB.
const READ_BUFFER: usize = 2 * 1024;
/// Frames are handed to the connection once this much of them waits, or at a flush.
const WRITE_BUFFER: usize = 8 * 1024;

/// Takes an upgrade to a WebSocket; passes everything else on. Who offers `slipstream.v1` gets it, whatever else is
/// offered; who does not is a compat client.
pub(super) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
    next: Next,
) -> Response {
    let wanted = request.headers().get(header::UPGRADE);
    let wanted = wanted.is_some_and(|wanted| wanted.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !wanted || request.method() != Method::GET {
        return next.run(request).await;
    }
    let ws = match ws {
        Ok(ws) => ws,
        Err(rejection) => return Problem::no_upgrade(&rejection).into_response(),
    };
    let ws = ws.protocols([V1]);
    let speaks = if ws.selected_protocol().is_some() { Speaks::V1 } else { Speaks::Compat };
    let (parts, _) = request.into_parts();
    let handshake = Handshake { peer, uri: parts.uri, headers: parts.headers, purpose: Purpose::Socket };
    let most = shared.settings.max_frame_bytes;
    ws.read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(move |ws| {
            let tasks = shared.tasks.clone();
            // The connection runs on a task of its own already; tracked, it is waited for like every other.
            async move { tasks.track_future(accept(shared, ws, handshake, speaks)).await }
        })
}
