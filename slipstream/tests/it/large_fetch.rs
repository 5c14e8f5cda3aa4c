//! A large file, fetched by a service that never holds it whole.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use slipstream_testkit::servers::s3_url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::client::Client;
use crate::files::s3_settings;
use crate::process::{DataFolder, Dev};

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 95 * MIB;
/// What memory may grow by meanwhile.
const GROWTH: u64 = 16 * MIB;
/// How a film begins (ISO/IEC 14496-12, 4.3).
const FILM: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// A server with films of as many bytes as their path says.
async fn films() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(film(socket));
        }
    });
    (address, serving)
}

async fn film(mut socket: TcpStream) {
    let mut head = [0; 4096];
    let read = socket.read(&mut head).await.unwrap();
    let path = std::str::from_utf8(&head[..read]).unwrap().split(' ').nth(1).unwrap();
    let size: u64 = path.trim_start_matches('/').trim_end_matches(".mp4").parse().unwrap();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: {size}\r\n\r\n");
    socket.write_all(&[answer.as_bytes(), FILM].concat()).await.unwrap();
    let (mut left, piece) = (usize::try_from(size).unwrap() - FILM.len(), vec![7; 64 * 1024]);
    while left > 0 {
        let next = left.min(piece.len());
        socket.write_all(&piece[..next]).await.unwrap();
        left -= next;
    }
}

/// Resident memory in bytes.
fn memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Fetches a film; answers the most memory that was seen meanwhile.
async fn fetch(client: &mut Client, pid: i32, films: SocketAddr, size: u64) -> u64 {
    let url = format!("http://{films}/{size}.mp4");
    client.send(json!({"type": "asset_fetch_request", "conversationId": "new-chat", "sourceUrl": url})).await;
    let mut most = 0;
    loop {
        tokio::select! {
            frame = client.frame() => {
                let frame = frame.expect("an answer");
                most = most.max(memory(pid));
                if frame["type"] == "asset_fetch_response" {
                    assert_eq!(frame["size"], size);
                    return most;
                }
                assert_eq!(frame["type"], "asset_upload_progress", "{frame}");
            }
            () = tokio::time::sleep(Duration::from_millis(10)) => most = most.max(memory(pid)),
        }
    }
}

async fn grows_little(settings: &[(&str, &str)]) {
    let (films, _serving) = films().await;
    let data = DataFolder::new();
    let settings = [settings, &[("SLIPSTREAM_ASSETS__FETCH_ALSO_FROM", "127.0.0.1")]].concat();
    let dev = Dev::start_with(&data, &settings).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    // What is set up once is set up by then.
    fetch(&mut client, dev.pid(), films, MIB).await;
    let before = memory(dev.pid());
    let most = fetch(&mut client, dev.pid(), films, SIZE).await;
    let grown = most.saturating_sub(before);
    assert!(grown <= GROWTH, "memory grew from {before} by {grown} bytes");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_file_of_95_mib_passes_into_a_folder_through_16_mib_of_memory() {
    grows_little(&[]).await;
}

#[tokio::test]
async fn a_file_of_95_mib_passes_into_s3_through_16_mib_of_memory() {
    let bucket = format!("b-{}", Uuid::new_v4());
    let mut socket = TcpStream::connect(s3_url().trim_start_matches("http://")).await.unwrap();
    let request =
        format!("PUT /{bucket} HTTP/1.1\r\nhost: s3\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
    grows_little(&s3_settings(&s3_url(), &bucket, "tests", "tests")).await;
}
