//! A WebSocket client without a subprotocol, as the existing web client is one.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const FRAME_LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Everything a client saw of one answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) conversation: String,
    pub(crate) title: Option<String>,
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) chunks: usize,
    pub(crate) end: Value,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, email: &str) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/?email={email}")).await.unwrap();
        Self(socket)
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, conversation: &str, prompt: &str) {
        self.ask_model(conversation, "openai", None, prompt).await;
    }

    /// Asks a provider's model; none is its default.
    pub(crate) async fn ask_model(
        &mut self,
        conversation: &str,
        provider: &str,
        model: Option<&str>,
        prompt: &str,
    ) {
        let mut frame = json!({"type": "ai_chat_request", "conversationId": conversation, "provider": provider,
            "prompt": prompt});
        if let Some(model) = model {
            frame["model"] = model.into();
        }
        self.send(frame).await;
    }

    /// The next frame; `None` when the connection is gone.
    pub(crate) async fn frame(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(FRAME_LIMIT, self.0.next()).await.expect("no frame came") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    /// Reads until the answer has ended, or has `enough` chunks with text.
    pub(crate) async fn answer(&mut self, enough: usize) -> Answer {
        let mut answer = Answer::default();
        while answer.chunks < enough {
            let frame = self.frame().await.expect("the connection ended before the answer");
            answer.take(frame);
            if answer.end != Value::Null {
                break;
            }
        }
        answer
    }
}

impl Answer {
    fn take(&mut self, frame: Value) {
        let text = |name: &str| frame[name].as_str().map(str::to_owned);
        if let Some(id) = text("conversationId") {
            self.conversation = id;
        }
        match frame["type"].as_str().unwrap() {
            "ai_chat_chunk" => {
                self.title = self.title.take().or(text("title"));
                self.thinking.push_str(&text("thinkingText").unwrap_or_default());
                let chunk = text("chunk").unwrap_or_default();
                self.chunks += usize::from(!chunk.is_empty());
                self.text.push_str(&chunk);
            }
            "ai_chat_response" | "ai_chat_error" => self.end = frame,
            _ => {}
        }
    }
}
