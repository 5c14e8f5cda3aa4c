//! `kill -9` in the middle of a stream.

use crate::client::Client;
use crate::process::{DataFolder, Dev, run_on};

#[tokio::test]
async fn what_was_streaming_ends_as_interrupted_with_its_text_and_the_conversation_goes_on() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask("new-chat", "[[chunks=5000 bytes=10 delay_ms=10]]").await;
    let seen = client.answer(80).await;
    dev.kill().await;

    let dev = Dev::start(&folder).await;
    let path = format!("/v1/conversations/{}/messages?email=a@example.com", seen.conversation);
    let reply = settled(&dev, &path).await;
    assert_eq!(reply["status"], "interrupted");
    let text = reply["text"].as_str().unwrap();
    assert!(!text.is_empty(), "the partial text is kept");
    // The log is at most 500 ms behind what was shown.
    assert!(seen.text.starts_with(text) || text.starts_with(&seen.text), "{text:?} and {:?}", seen.text);
    assert!(seen.text.len().saturating_sub(text.len()) < 5000, "more was lost than the window holds");

    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask(&seen.conversation, "[[chunks=3 bytes=5 delay_ms=0]]").await;
    loop {
        let answer = client.answer(usize::MAX).await;
        if answer.end["chunk"].as_str().is_some_and(|text| text.len() == 15) {
            break;
        }
    }
    let verified = run_on(&folder, &["log", "verify"]).await;
    assert!(verified.status.success(), "{verified:?}");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_stop_lets_nobody_wait_for_an_end() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask("new-chat", "[[chunks=5000 bytes=10 delay_ms=10]]").await;
    let seen = client.answer(20).await;
    let (stopped, rest) = tokio::join!(dev.interrupt(), client.answer(usize::MAX));
    assert!(stopped.success());
    assert_eq!(rest.end["type"], "ai_chat_response", "{rest:?}");
    assert_eq!(rest.end["chunk"], format!("{}{}", seen.text, rest.text), "every delta came before the end");
}

/// The reply once it has ended: at once after the start, as far as a read model can be at once.
async fn settled(dev: &Dev, path: &str) -> serde_json::Value {
    for _ in 0..200 {
        let (status, body) = dev.get(path).await;
        assert_eq!(status, 200, "{body}");
        let reply = body["items"][1].clone();
        if reply["status"] != "running" {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the reply never ended");
}
