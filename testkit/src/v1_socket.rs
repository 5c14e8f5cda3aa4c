//! The socket of a v1 client that signs in by its e-mail address. Carries frames; knows nothing of what they mean.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A gateway that needs longer to take a socket is gone.
const TAKEN: Duration = Duration::from_secs(5);

/// An open WebSocket that speaks `slipstream.v1`.
#[derive(Debug)]
pub struct V1Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl V1Socket {
    /// Connects; `None` when the gateway does not take it within five seconds.
    pub async fn connect(gateway: SocketAddr, email: &str) -> Option<Self> {
        let mut request = format!("ws://{gateway}/?email={email}").into_client_request().ok()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("slipstream.v1"));
        let (socket, _) = timeout(TAKEN, connect_async(request)).await.ok()?.ok()?;
        Some(Self(socket))
    }

    /// Sends a frame; false when the connection is gone.
    pub async fn send(&mut self, frame: &Value) -> bool {
        self.0.send(Message::text(frame.to_string())).await.is_ok()
    }

    /// The next frame; `None` when the connection is gone. Cancel-safe.
    pub async fn frame(&mut self) -> Option<String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }
}
