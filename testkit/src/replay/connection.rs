//! One connection: one request, one answer in pieces, then the end its golden asks for.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Shared;
use super::golden::{End, Golden};
use super::request::{self, Outcome};

/// Serves it. Whatever goes wrong on the socket is the client leaving.
pub(super) async fn serve(mut socket: TcpStream, shared: &Shared) {
    let Ok(Some(mut request)) = request::read(&mut socket).await else { return };
    let golden = shared.answer(&mut request);
    let number = shared.record(request);
    let outcome = match answer(socket, &golden, shared).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::ClientLeft,
    };
    shared.settle(number, outcome);
}

async fn answer(socket: TcpStream, golden: &Golden, shared: &Shared) -> io::Result<Outcome> {
    // Each piece is to travel by itself.
    socket.set_nodelay(true)?;
    let (mut reader, mut writer) = socket.into_split();
    writer.write_all(head(golden).as_bytes()).await?;
    for piece in shared.options.cut.pieces(&golden.body) {
        write_piece(&mut writer, piece).await?;
        if left_within(&mut reader, shared.options.delay).await {
            return Ok(Outcome::ClientLeft);
        }
    }
    match golden.end {
        End::Proper => {
            writer.write_all(b"0\r\n\r\n").await?;
            writer.shutdown().await?;
            Ok(Outcome::Answered)
        }
        End::Cut => Ok(Outcome::Answered),
        End::Silence => {
            left(&mut reader).await;
            Ok(Outcome::ClientLeft)
        }
    }
}

fn head(golden: &Golden) -> String {
    let mut lines = vec![format!("HTTP/1.1 {} Replayed", golden.status)];
    lines.extend(golden.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend(["transfer-encoding: chunked", "connection: close", "", ""].map(str::to_owned));
    lines.join("\r\n")
}

/// One chunk of HTTP's chunked coding (RFC 9112, 7.1).
async fn write_piece(writer: &mut OwnedWriteHalf, piece: &[u8]) -> io::Result<()> {
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    writer.write_all(&chunk).await
}

/// Waits; says whether the client left meanwhile.
async fn left_within(reader: &mut OwnedReadHalf, delay: Duration) -> bool {
    if delay.is_zero() {
        tokio::task::yield_now().await;
        return false;
    }
    tokio::time::timeout(delay, left(reader)).await.is_ok()
}

/// Returns when the client has closed its side or the connection broke. What it sends until then is not read as a
/// request: the answer announced `connection: close`.
async fn left(reader: &mut OwnedReadHalf) {
    let mut ignored = [0; 1024];
    while matches!(reader.read(&mut ignored).await, Ok(1..)) {}
}
