//! Files that the server fetches for a client, and what the user's other sockets hear of files.

use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use slipstream_commands::ports::{ByteStream, FetchError, RemoteFile};
use slipstream_domain::MediaType;
use slipstream_testkit::ScriptedWeb;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::world::{Twist, World};

/// A world whose web has one file, of nine bytes, whose pieces come when the test sends them.
async fn world() -> (World, mpsc::Sender<&'static str>) {
    // As many pieces as a test sends.
    let (pieces, coming) = mpsc::channel(16);
    let coming = Mutex::new(Some(coming));
    let web = move |url: &str| match url {
        "https://files.example/a.txt" => Ok(file(coming.lock().unwrap().take().expect("one fetch"))),
        "https://files.example/gone" => Err(FetchError::Status(404)),
        "https://files.example/late" => Err(FetchError::TimedOut),
        _ => Err(FetchError::NotPublic),
    };
    let twist = Twist { web: Some(Arc::new(ScriptedWeb(web))), ..Twist::default() };
    (World::with(twist).await, pieces)
}

fn file(mut coming: mpsc::Receiver<&'static str>) -> RemoteFile {
    let bytes: ByteStream =
        stream::poll_fn(move |context| coming.poll_recv(context)).map(|piece| Ok(piece.into())).boxed();
    let mime = MediaType::parse("text/plain").ok();
    RemoteFile { mime, filename: Some("a.txt".to_owned()), size: Some(9), bytes }
}

fn wish(url: &str) -> Value {
    json!({"type": "asset_fetch_request", "conversationId": "new-chat", "sourceUrl": url, "draftId": "d1", "batchId": "b1"})
}

async fn until_progress(client: &mut Client, bytes: u64) -> Value {
    loop {
        let frame = client.next().await;
        assert_eq!(frame["type"], "asset_upload_progress", "{frame}");
        if frame["bytesUploaded"] == bytes {
            return frame;
        }
    }
}

#[tokio::test]
async fn a_fetch_tells_how_far_it_is_and_then_shows_the_file_while_other_frames_are_answered() {
    let (world, pieces) = world().await;
    let mut client = world.client("a@example.com").await;
    client.send(wish("https://files.example/a.txt")).await;
    pieces.send("som").await.unwrap();
    let progress = until_progress(&mut client, 3).await;
    assert_eq!((&progress["totalBytes"], &progress["draftId"]), (&json!(9), &json!("d1")));
    assert!((33.0..34.0).contains(&progress["progress"].as_f64().unwrap()), "{progress}");
    client.is_alive().await;
    for piece in ["e t", "ext"] {
        pieces.send(piece).await.unwrap();
    }
    drop(pieces);
    let fetched = client.next_of("asset_fetch_response").await;
    assert_eq!((&fetched["status"], &fetched["origin"]), (&json!("READY"), &json!("REMOTE")), "{fetched}");
    assert_eq!((&fetched["size"], &fetched["metadata"]["filename"]), (&json!(9), &json!("a.txt")));
    assert_eq!((&fetched["attachmentId"], &fetched["batchId"]), (&progress["attachmentId"], &json!("b1")));
    assert!(fetched["key"].as_str().unwrap().starts_with("remote/"));
    let listed = async || crate::http::get(world.address, "/v1/attachments?email=a@example.com").await.json();
    // It is listed as soon as the read model has it.
    while listed().await["items"] == json!([]) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(listed().await["items"][0]["id"], fetched["attachmentId"]);
    world.end().await;
}

#[tokio::test]
async fn a_fetch_that_is_aborted_on_its_way_leaves_nothing_behind() {
    let (world, pieces) = world().await;
    let mut client = world.client("a@example.com").await;
    client.send(wish("https://files.example/a.txt")).await;
    pieces.send("some").await.unwrap();
    let progress = until_progress(&mut client, 4).await;
    let id = &progress["attachmentId"];
    client.send(json!({"type": "asset_upload_abort", "attachmentId": id, "reason": "user"})).await;
    assert_eq!(client.next().await["type"], "asset_upload_aborted");
    pieces.send(" text").await.unwrap();
    drop(pieces);
    assert_eq!(client.next_of("asset_fetch_error").await["code"], "conflict");
    assert!(world.files.store().list("assets", "remote/", None, 10).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn what_is_not_fetched_is_answered_by_the_error_twin_and_tells_nothing_of_the_inside() {
    let (world, _pieces) = world().await;
    let mut client = world.client("a@example.com").await;
    for (url, code) in [
        ("http://127.0.0.1:5432/", "forbidden"),
        ("http://metadata.internal/latest", "forbidden"),
        ("https://files.example/gone", "conflict"),
        ("https://files.example/late", "unavailable"),
        ("file:///etc/passwd", "bad_frame"),
        ("http://ann:secret@files.example/", "bad_frame"),
        ("", "bad_frame"),
    ] {
        client.send(wish(url)).await;
        let refused = client.next().await;
        assert_eq!(
            (&refused["type"], &refused["code"]),
            (&json!("asset_fetch_error"), &json!(code)),
            "{url}"
        );
        assert_eq!((&refused["draftId"], &refused["success"]), (&json!("d1"), &json!(false)));
        assert!(!refused["error"].as_str().unwrap().contains("127.0.0.1"), "{refused}");
    }
    client.send(json!({"type": "asset_fetch_request", "sourceUrl": 7})).await;
    assert_eq!(client.next().await["code"], "bad_frame");
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn the_users_other_v1_sockets_hear_how_far_a_file_is_and_that_it_is_ready() {
    let (world, pieces) = world().await;
    let mut asking = world.v1("a@example.com").await;
    let mut other = world.v1("a@example.com").await;
    let mut compat = world.client("a@example.com").await;
    let mut stranger = world.v1("b@example.com").await;
    for client in [&mut asking, &mut other, &mut compat, &mut stranger] {
        // By then each of them listens.
        client.is_alive().await;
    }
    asking.send(wish("https://files.example/a.txt")).await;
    pieces.send("some").await.unwrap();
    let heard = until_progress(&mut other, 4).await;
    pieces.send(" text").await.unwrap();
    drop(pieces);
    let fetched = asking.next_of("asset_fetch_response").await;
    let uploaded = other.next_of("asset_uploaded").await;
    assert_eq!(uploaded["attachmentId"], fetched["attachmentId"]);
    assert_eq!(heard["attachmentId"], fetched["attachmentId"]);
    assert_eq!(
        (&uploaded["key"], &uploaded["size"], &uploaded["metadata"]["filename"]),
        (&fetched["key"], &json!(9), &json!("a.txt"))
    );
    let progress =
        json!({"type": "asset_upload_progress", "attachmentId": fetched["attachmentId"], "progress": 40});
    asking.send(progress).await;
    assert_eq!(asking.next().await["progress"], 40.0);
    assert_eq!(other.next().await["progress"], 40.0);
    for deaf in [&mut compat, &mut stranger] {
        deaf.send(json!({"type": "ping"})).await;
        assert_eq!(deaf.next().await["type"], "pong");
    }
    world.end().await;
}
