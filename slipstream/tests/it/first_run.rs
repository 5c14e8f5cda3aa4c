//! What a newcomer does first.

use serde_json::{Value, json};

use crate::client::Client;
use crate::process::{DataFolder, Dev, run_on};

pub(crate) async fn messages(dev: &Dev, conversation: &str, email: &str) -> Vec<Value> {
    let (status, body) = dev.get(&format!("/v1/conversations/{conversation}/messages?email={email}")).await;
    assert_eq!(status, 200, "{body}");
    body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_first_message_streams_ends_and_is_in_the_read_model() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask("new-chat", "hello").await;
    let answer = client.answer(usize::MAX).await;
    assert_eq!(answer.end["type"], "ai_chat_response");
    assert_eq!(answer.end["chunk"], answer.text.as_str());
    assert_eq!(answer.title.as_deref(), Some("hello"));
    assert!(answer.chunks > 1, "it came in one piece");
    assert!(answer.text.contains("simulated"), "a provider without a key says who answers: {}", answer.text);

    let stored = messages(&dev, &answer.conversation, "a@example.com").await;
    let texts: Vec<_> = stored.iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["hello", &answer.text]);
    let mut other = Client::connect(dev.address, "b@example.com").await;
    other.send(json!({"type": "ping"})).await;
    assert_eq!(other.frame().await.unwrap()["type"], "pong", "somebody else is known now");
    let (status, list) = dev.get("/v1/conversations?email=a@example.com").await;
    // The prompt's first words or, by now, what the simulated provider makes of them.
    let title = list["items"][0]["title"].as_str().unwrap();
    assert!(status == 200 && ["hello", "Hello"].contains(&title), "{list}");
    assert_eq!(
        dev.get(&format!("/v1/conversations/{}/messages?email=b@example.com", answer.conversation)).await.0,
        404
    );

    client.ask(&answer.conversation, "[[chunks=3 bytes=5 delay_ms=0]]").await;
    assert_eq!(client.answer(usize::MAX).await.text.len(), 15);
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_picture_that_is_asked_for_can_be_looked_at() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client
        .send(json!({
            "type": "image_gen_request", "conversationId": "new-chat", "prompt": "a cat", "model": "gpt-image-1",
        }))
        .await;
    let made = loop {
        let frame = client.frame().await.unwrap();
        match frame["type"].as_str().unwrap() {
            "image_gen_progress" => {}
            "image_gen_response" => break frame,
            other => panic!("{other}: {frame}"),
        }
    };
    let url = made["imageUrl"].as_str().unwrap_or_else(|| panic!("{made}"));
    let path = url.strip_prefix(&format!("http://{}", dev.address)).unwrap_or_else(|| panic!("{url}"));
    let (status, bytes) = dev.get_bytes(path).await;
    assert_eq!((status, bytes.get(1..4)), (200, Some(&b"PNG"[..])));
    let (status, files) = dev.get("/v1/attachments?email=a@example.com").await;
    assert_eq!((status, &files["items"][0]["messageId"]), (200, &made["messageId"]), "{files}");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_restart_finds_everything_again() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask("new-chat", "hello").await;
    let before = client.answer(usize::MAX).await;
    assert!(dev.interrupt().await.success());

    let dev = Dev::start(&folder).await;
    assert_eq!(messages(&dev, &before.conversation, "a@example.com").await.len(), 2);
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask(&before.conversation, "again").await;
    assert_eq!(client.answer(usize::MAX).await.end["type"], "ai_chat_response");
    assert_eq!(messages(&dev, &before.conversation, "a@example.com").await.len(), 4);

    let verified = run_on(&folder, &["log", "verify"]).await;
    assert!(verified.status.success(), "beside the running process: {verified:?}");
    assert!(dev.interrupt().await.success());
    let verified = run_on(&folder, &["log", "verify"]).await;
    assert!(verified.status.success(), "alone: {verified:?}");
    assert!(String::from_utf8(verified.stdout).unwrap().contains(" 0 faults"));
}
