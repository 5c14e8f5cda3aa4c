//! A WebSocket client, as plain as a browser's.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::PATIENCE;

pub(crate) struct Client {
    socket: WebSocketStream<Box<dyn Io>>,
}

/// What carries a WebSocket.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, email: &str, agent: &'static str) -> Self {
        Self::with_headers(address, &format!("/?email={email}"), &[("User-Agent", agent)]).await
    }

    pub(crate) async fn with_headers(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Self {
        Self::over(Box::new(TcpStream::connect(address).await.unwrap()), path, headers).await
    }

    /// A client at the other end of whatever carries it.
    pub(crate) async fn over(
        stream: Box<dyn Io>,
        path: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Self {
        let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
        for &(name, value) in headers {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let (socket, _) = client_async(request, stream).await.expect("the upgrade is taken");
        Self { socket }
    }

    /// A client of `slipstream.v1` that has read the first frame.
    pub(crate) async fn v1(address: SocketAddr, email: &str) -> Self {
        let mut client = Self::v1_unread(address, email).await;
        assert_eq!(client.next().await["type"], "connection_established");
        client
    }

    pub(crate) async fn v1_unread(address: SocketAddr, email: &str) -> Self {
        let headers = [("Sec-WebSocket-Protocol", "slipstream.v1")];
        Self::with_headers(address, &format!("/?email={email}"), &headers).await
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// Writes bytes past the WebSocket.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    /// Asks `simulated`.
    pub(crate) async fn ask(&mut self, conversation: &str, prompt: &str) {
        let provider = "simulated";
        self.send(json!({"type": "ai_chat_request", "conversationId": conversation, "prompt": prompt, "provider": provider}))
            .await;
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_message(PATIENCE).await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).expect("frames are JSON"),
            other => panic!("a frame was expected, not {other:?}"),
        }
    }

    /// The next frame of this type, whatever comes before it.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// All frames up to and with the one that ends a reply.
    pub(crate) async fn until_end(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await;
            let ends = frame["done"] == true;
            frames.push(frame);
            if ends {
                return frames;
            }
        }
    }

    /// All frames up to and with the first of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.next().await);
            if frames.last().is_some_and(|frame| frame["type"] == kind) {
                return frames;
            }
        }
    }

    /// Waits until the text of the chunks that come, joined, ends with this.
    pub(crate) async fn until_chunk(&mut self, text: &str) {
        let mut joined = String::new();
        while !joined.ends_with(text) {
            joined += self.next_of("ai_chat_chunk").await["chunk"].as_str().unwrap_or_default();
        }
    }

    /// The same, but it may take this long.
    pub(crate) async fn until_chunk_within(&mut self, text: &str, patience: Duration) {
        let mut joined = String::new();
        while !joined.ends_with(text) {
            let Some(Ok(Message::Text(frame))) = self.next_message(patience).await else {
                panic!("{joined}")
            };
            let frame: Value = serde_json::from_str(&frame).expect("frames are JSON");
            joined += frame["chunk"].as_str().unwrap_or_default();
        }
    }

    /// Reads along for a while, as a client that lives does.
    pub(crate) async fn pass(&mut self, time: Duration) {
        while self.next_message(time).await.is_some() {}
    }

    /// Nothing comes for a while.
    pub(crate) async fn hears_nothing(&mut self) {
        let heard = self.next_message(Duration::from_millis(300)).await;
        assert!(heard.is_none(), "{heard:?}");
    }

    /// The socket answers as it always did.
    pub(crate) async fn is_alive(&mut self) {
        self.send(json!({"type": "ping"})).await;
        self.next_of("pong").await;
    }

    /// The code the server closes with, whatever comes before.
    pub(crate) async fn close_code(&mut self) -> u16 {
        self.closed().await.0
    }

    /// The code and the reason the server closes with, whatever comes before.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next_message(PATIENCE).await.expect("the server closes") {
                Ok(Message::Close(Some(close))) => return (close.code.into(), close.reason.to_string()),
                Ok(_) => {}
                Err(error) => panic!("the connection broke: {error}"),
            }
        }
    }

    /// Closes with this code and waits until the server has taken leave.
    pub(crate) async fn close(mut self, code: u16) {
        self.socket.close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() })).await.unwrap();
        while let Some(Ok(_)) = self.next_message(PATIENCE).await {}
    }

    /// Lets the connection break without a word.
    pub(crate) fn vanish(self) {
        drop(self.socket);
    }

    async fn next_message(&mut self, patience: Duration) -> Option<Result<Message, Error>> {
        let data = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => return other,
                }
            }
        };
        timeout(patience, data).await.ok().flatten()
    }
}

/// The text of all chunks, joined.
pub(crate) fn text(frames: &[Value]) -> String {
    frames
        .iter()
        .filter(|frame| frame["type"] == "ai_chat_chunk")
        .filter_map(|frame| frame["chunk"].as_str())
        .collect()
}
