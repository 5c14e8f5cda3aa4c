//! A vendor that speaks OpenAI's Responses API at the pace its prompt asks for, and writes into each chunk when it was
//! sent. What is asked for is [`Pace`].

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use super::stamp::{CHUNK_BYTES, stamped};
use crate::role;

/// Larger than any request of the benchmark.
const MAX_REQUEST: usize = 4 * 1024 * 1024;
/// At full speed, chunks go out by so many bytes, as a vendor's proxy would send them.
const BUFFER: usize = 4096;

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) chunks: usize,
    /// Between two chunks; zero is full speed.
    pub(crate) delay: Duration,
}

impl Pace {
    pub(crate) fn prompt(self) -> String {
        format!("[[chunks={} delay_us={}]]", self.chunks, self.delay.as_micros())
    }

    /// The one in the last prompt of a request's body.
    fn find(body: &str) -> Option<Self> {
        let (_, directive) = body.rsplit_once("[[chunks=")?;
        let (directive, _) = directive.split_once("]]")?;
        let (chunks, delay) = directive.split_once(" delay_us=")?;
        Some(Self { chunks: chunks.parse().ok()?, delay: Duration::from_micros(delay.parse().ok()?) })
    }
}

/// The child's side: says its address, and answers until it is killed.
pub(crate) async fn run(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    role::say(&listener.local_addr()?.to_string());
    let connections = TaskTracker::new();
    loop {
        let (socket, _) = listener.accept().await?;
        connections.spawn(async move {
            // Whatever goes wrong is the client leaving.
            drop(serve(socket).await);
        });
    }
}

/// One request after the other.
async fn serve(mut socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut bytes = Vec::new();
    while let Some(body) = request(&mut socket, &mut bytes).await? {
        let pace = Pace::find(&body).unwrap_or(Pace { chunks: 1, delay: Duration::ZERO });
        answer(&mut socket, pace).await?;
    }
    Ok(())
}

/// The body of the next request; none if the client has left. `bytes` is what was read beyond the last one.
async fn request(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<Option<String>> {
    loop {
        if let Some((head, length)) = head(bytes)?
            && bytes.len() >= head + length
        {
            let rest = bytes.split_off(head + length);
            let request = std::mem::replace(bytes, rest);
            return Ok(Some(String::from_utf8_lossy(&request[head..]).into_owned()));
        }
        if bytes.len() > MAX_REQUEST || socket.read_buf(bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// Where the head ends and how long the body is, once the head is there.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(end) = request.parse(bytes)? else { return Ok(None) };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(Ok("0"), |header| std::str::from_utf8(header.value))?.trim().parse()?;
    Ok(Some((end, length)))
}

async fn answer(socket: &mut TcpStream, pace: Pace) -> Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, socket);
    out.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await?;
    event(&mut out, "response.created", r#""response":{"id":"resp_1","status":"in_progress"}"#).await?;
    let mut due = Instant::now();
    for chunk in 0..pace.chunks {
        // The first comes at once: what is measured is the server's part of the wait.
        if chunk > 0 && !pace.delay.is_zero() {
            out.flush().await?;
            due += pace.delay;
            sleep_until(due).await;
        }
        let delta =
            format!(r#""item_id":"msg_1","output_index":0,"content_index":0,"delta":"{}""#, stamped());
        event(&mut out, "response.output_text.delta", &delta).await?;
    }
    let tokens = pace.chunks * CHUNK_BYTES / 4;
    let usage = format!(
        r#""response":{{"id":"resp_1","status":"completed","usage":{{"input_tokens":8,"output_tokens":{tokens},"total_tokens":{}}}}}"#,
        tokens + 8
    );
    event(&mut out, "response.completed", &usage).await?;
    out.write_all(b"0\r\n\r\n").await?;
    Ok(out.flush().await?)
}

/// One event in a chunk of HTTP's chunked coding (RFC 9112, 7.1).
async fn event(out: &mut BufWriter<&mut TcpStream>, kind: &str, fields: &str) -> Result<()> {
    let event = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{fields}}}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    Ok(out.write_all(chunk.as_bytes()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_prompt_sets_the_pace() {
        let pace = |chunks| Pace { chunks, delay: Duration::from_millis(20) };
        let body = format!(r#"{{"input":["{}","{}"]}}"#, pace(3).prompt(), pace(200).prompt());
        assert_eq!(Pace::find(&body), Some(pace(200)));
        assert_eq!(Pace::find("hello"), None);
    }

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        assert_eq!(head(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n").unwrap(), None);
        assert_eq!(head(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel").unwrap(), Some((38, 5)));
    }
}
