//! A WebSocket client of either kind, and what it sees of one answer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::provider::Pace;
use super::stamp::ages;
use super::tally::Tally;

/// Longer than any answer of the benchmark pauses.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What matters of a frame.
#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    chunk: Option<Cow<'a, str>>,
}

impl Client {
    /// As the existing web client connects.
    pub(crate) async fn compat(server: SocketAddr, email: &str) -> Result<Self> {
        let (socket, _) = connect_async(format!("ws://{server}/?email={email}")).await?;
        Ok(Self(socket))
    }

    pub(crate) async fn v1(server: SocketAddr, email: &str) -> Result<Self> {
        let mut request = format!("ws://{server}/?email={email}").into_client_request()?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("slipstream.v1"));
        let (socket, _) = connect_async(request).await?;
        Ok(Self(socket))
    }

    pub(crate) async fn send(&mut self, frame: &Value) -> Result<()> {
        Ok(self.0.send(Message::text(frame.to_string())).await?)
    }

    /// The next frame.
    pub(crate) async fn text(&mut self) -> Result<String> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.context("the server says nothing")?;
            match message.context("the server has hung up")?? {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Close(close) => bail!("the server has closed the socket: {close:?}"),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next frame of this type.
    pub(crate) async fn frame(&mut self, kind: &str) -> Result<Value> {
        loop {
            let frame: Value = serde_json::from_str(&self.text().await?)?;
            if frame["type"] == kind {
                return Ok(frame);
            }
        }
    }

    /// One ping, answered: the server knows who we are.
    pub(crate) async fn ping(&mut self) -> Result<Duration> {
        let begin = Instant::now();
        self.send(&json!({ "type": "ping" })).await?;
        self.frame("pong").await?;
        Ok(begin.elapsed())
    }

    /// A new chat whose answer is read to its end. It was to begin at `scheduled`: latencies count from there.
    pub(crate) async fn chat(&mut self, pace: Pace, scheduled: Instant, tally: &Tally) -> Result<()> {
        self.send(&question("new-chat", pace)).await?;
        let mut chunks = 0;
        loop {
            let text = self.text().await?;
            let seen: Seen = serde_json::from_str(&text)?;
            match (&*seen.kind, seen.chunk) {
                ("ai_chat_chunk", Some(chunk)) if !chunk.is_empty() => {
                    let ages = ages(&chunk)?;
                    tally.chunks(&ages, (chunks == 0).then(|| scheduled.elapsed()));
                    chunks += ages.len();
                }
                ("ai_chat_response", _) => break,
                ("ai_chat_error" | "error", _) => bail!("an answer failed: {text}"),
                _ => {}
            }
        }
        ensure!(chunks == pace.chunks, "{chunks} chunks came of {}", pace.chunks);
        Ok(())
    }
}

pub(crate) fn question(conversation: &str, pace: Pace) -> Value {
    json!({
        "type": "ai_chat_request", "conversationId": conversation, "provider": "openai", "prompt": pace.prompt(),
    })
}
