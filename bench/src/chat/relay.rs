//! The floor: hands each chunk of the provider to the WebSocket as it comes. Nothing is kept, checked, merged or
//! resumed; it shows what the set-up itself costs.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tokio_util::task::TaskTracker;

use crate::role;

/// The child's side: says its address, and relays until it is killed.
pub(crate) async fn run(provider: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    role::say(&listener.local_addr()?.to_string());
    let connections = TaskTracker::new();
    loop {
        let (socket, _) = listener.accept().await?;
        connections.spawn(async move {
            // Whatever goes wrong is the client leaving.
            drop(serve(socket, provider).await);
        });
    }
}

async fn serve(socket: TcpStream, provider: SocketAddr) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut client = accept_async(socket).await?;
    let mut upstream = None;
    while let Some(message) = client.next().await {
        let Message::Text(text) = message? else { continue };
        let frame: Value = serde_json::from_str(&text)?;
        let upstream = match &mut upstream {
            Some(upstream) => upstream,
            none => none.insert(BufReader::new(TcpStream::connect(provider).await?)),
        };
        relay(&mut client, upstream, &frame["prompt"]).await?;
    }
    Ok(())
}

async fn relay(
    client: &mut WebSocketStream<TcpStream>,
    upstream: &mut BufReader<TcpStream>,
    prompt: &Value,
) -> Result<()> {
    let body = json!({ "model": "bench", "stream": true, "input": prompt }).to_string();
    let request = format!(
        "POST /v1/responses HTTP/1.1\r\nhost: provider\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    upstream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    loop {
        line.clear();
        upstream.read_line(&mut line).await?;
        // Each event is a chunk of its own, so its line is never cut; sizes and heads are lines of another form.
        if let Some(data) = line.strip_prefix("data: ") {
            let event: Value = serde_json::from_str(data)?;
            if let Some(delta) = event["delta"].as_str() {
                let frame =
                    json!({ "type": "ai_chat_chunk", "conversationId": "c", "chunk": delta, "done": false });
                client.feed(Message::text(frame.to_string())).await?;
                // What has come together goes together.
                if upstream.buffer().is_empty() {
                    client.flush().await?;
                }
            }
        } else if line == "0\r\n" || line.is_empty() {
            upstream.read_line(&mut line).await?;
            let end = json!({ "type": "ai_chat_response", "conversationId": "c", "done": true });
            return Ok(client.send(Message::text(end.to_string())).await?);
        }
    }
}
