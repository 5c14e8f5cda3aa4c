//! Files on their way to the vendors, and pictures on their way back, through the whole service.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use slipstream_testkit::V1Socket;
use slipstream_testkit::replay::{Outcome, RecordedRequest, ReplayOptions, ReplayServer};

use crate::client::{Answer, Client};
use crate::files::put;
use crate::process::{DataFolder, Dev};
use crate::vendors::dev;

const ANN: &str = "a@example.com";
const DISC: &[u8] = include_bytes!("../../../providers/src/simulated/picture.png");

/// A file that begins as a PDF file does.
fn pdf(bytes: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    pdf.resize(bytes, b'7');
    pdf
}

/// Uploads a file as a member of a batch.
async fn upload(client: &mut Client, batch: &str, name: &str, mime: &str, bytes: &[u8]) {
    let frame = json!({"type": "asset_attached", "conversationId": "new-chat", "filename": name, "mime": mime,
        "size": bytes.len(), "draftId": name, "batchId": batch});
    client.send(frame).await;
    let told = client.frame().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upload");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(put(&told, &path, &[]).await, 200);
    client
        .send(json!({"type": "asset_upload_complete", "attachmentId": told["attachmentId"], "success": true}))
        .await;
    assert_eq!(client.frame().await.unwrap()["type"], "asset_ready");
}

/// Asks with the files of a batch.
async fn ask(client: &mut Client, conversation: &str, model: (&str, &str), batch: Option<&str>) -> Answer {
    let mut frame = json!({"type": "ai_chat_request", "conversationId": conversation, "provider": model.0,
        "model": model.1, "prompt": "what is this?"});
    if let Some(batch) = batch {
        frame["batchId"] = batch.into();
    }
    client.send(frame).await;
    let answer = client.answer(usize::MAX).await;
    assert_eq!(answer.end["type"], "ai_chat_response", "{model:?}: {answer:?}");
    answer
}

/// The requests that are questions.
fn questions(replay: &ReplayServer) -> Vec<RecordedRequest> {
    let questions = replay.requests().into_iter().filter(|request| {
        request.outcome == Some(Outcome::Answered)
            && String::from_utf8_lossy(&request.body).contains("what is this?")
    });
    questions.collect()
}

/// All texts in a JSON.
fn texts(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[tokio::test]
async fn the_bytes_of_a_picture_and_of_a_document_arrive_at_every_vendor_that_reads_them() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let mut client = Client::connect(dev.address, ANN).await;
    let paper = pdf(500);
    for (provider, model) in
        [("openai", "gpt-5-nano"), ("anthropic", "claude-sonnet-4-20250514"), ("gemini", "gemini-2.5-flash")]
    {
        upload(&mut client, provider, "disc.png", "image/png", DISC).await;
        upload(&mut client, provider, "paper.pdf", "application/pdf", &paper).await;
        ask(&mut client, "new-chat", (provider, model), Some(provider)).await;
        let asked = questions(&replay)
            .into_iter()
            .find(|asked| texts(&asked.json()).iter().any(|text| text.ends_with(&STANDARD.encode(DISC))));
        let asked = asked.unwrap_or_else(|| panic!("{provider} was not shown the picture"));
        let body = asked.json();
        let shown = |bytes: &[u8]| texts(&body).iter().any(|text| text.ends_with(&STANDARD.encode(bytes)));
        assert!(shown(DISC) && shown(&paper), "{provider} was not shown both: {}", asked.path);
        assert!(asked.golden.is_some(), "{provider} refused it");
        forget(&dev, &mut client).await;
    }
    assert!(dev.interrupt().await.success());
}

/// Deletes all files, so that the next vendor's cannot be those of the one before.
async fn forget(dev: &Dev, client: &mut Client) {
    let (_, list) = dev.get(&format!("/v1/attachments?email={ANN}")).await;
    for file in list["items"].as_array().unwrap() {
        client.send(json!({"type": "asset_deleted", "attachmentId": file["id"]})).await;
        client.frame().await.unwrap();
    }
}

#[tokio::test]
async fn a_large_file_is_given_to_gemini_once_and_named_in_every_question_after() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let mut client = Client::connect(dev.address, ANN).await;
    let large = pdf(5 * 1024 * 1024);
    upload(&mut client, "b1", "large.pdf", "application/pdf", &large).await;
    let model = ("gemini", "gemini-2.5-flash");
    let conversation = ask(&mut client, "new-chat", model, Some("b1")).await.conversation;
    ask(&mut client, &conversation, model, None).await;
    let given: Vec<_> =
        replay.requests().into_iter().filter(|request| request.path.contains("/upload/session")).collect();
    assert_eq!(given.len(), 1, "it is given once");
    assert_eq!(given[0].body, large);
    let named = questions(&replay)
        .iter()
        .filter(|asked| texts(&asked.json()).iter().any(|text| text.ends_with("/v1beta/files/abc-123")))
        .count();
    assert_eq!(named, 2, "it is named in both questions, and not in that for a title");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_picture_inside_a_chat_is_shown_to_both_kinds_of_client() {
    let replay = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let folder = DataFolder::new();
    let dev = dev(&folder, &replay).await;
    let frame = json!({"type": "ai_chat_request", "conversationId": "new-chat", "provider": "gemini",
        "model": "gemini-2.5-flash", "prompt": "[[golden=image]]"});
    let mut client = Client::connect(dev.address, ANN).await;
    client.send(frame.clone()).await;
    let mut given = None;
    loop {
        let frame = client.frame().await.expect("an answer");
        if frame["type"] == "ai_chat_inline_data" {
            given = frame["data"].as_str().map(str::to_owned);
        }
        if frame["done"] == true {
            break;
        }
    }
    let given = given.expect("the picture is given to a compat client");
    let bytes = STANDARD.decode(given.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));

    let mut socket = V1Socket::connect(dev.address, ANN).await.unwrap();
    assert!(socket.send(&frame).await);
    let shown = until(&mut socket, "ai_chat_inline_data").await;
    assert_eq!((&shown["part"], &shown["count"]), (&json!("image"), &json!(1)));
    let url = shown["url"].as_str().unwrap();
    let path = url.split_once(&dev.address.to_string()).unwrap().1;
    assert_eq!(dev.get_bytes(path).await, (200, bytes));
    assert!(dev.interrupt().await.success());
}

/// The next frame of this type.
pub(crate) async fn until(socket: &mut V1Socket, kind: &str) -> Value {
    let waiting = async {
        loop {
            let frame: Value = serde_json::from_str(&socket.frame().await.expect("a frame")).unwrap();
            if frame["type"] == kind {
                return frame;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("no {kind} came"))
}
