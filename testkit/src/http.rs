//! One question to an HTTP server, without a client's comforts.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The code and the body of a `GET`; a body that is no JSON comes as a text.
///
/// # Errors
/// Nobody is there, or what answers is no HTTP server.
pub async fn http_get(server: SocketAddr, path: &str) -> Result<(u16, Value)> {
    let mut socket = TcpStream::connect(server).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    socket.read_to_string(&mut response).await?;
    let status = response.split(' ').nth(1).and_then(|code| code.parse().ok());
    let (status, (_, body)) = status
        .zip(response.split_once("\r\n\r\n"))
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, response.clone()))?;
    Ok((status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()))))
}
