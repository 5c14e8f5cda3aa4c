//! What a user is told when no message on the operator's keys is left.

use std::num::NonZeroU32;

use serde_json::json;

use crate::client::Client;
use crate::world::{Twist, World};

async fn one_a_day() -> World {
    World::with(Twist { free_messages: NonZeroU32::new(1), ..Twist::default() }).await
}

async fn ask(client: &mut Client) {
    // What the client says of keys is not believed.
    client
        .send(json!({
            "type": "ai_chat_request", "conversationId": "new-chat", "prompt": "hello", "provider": "openai",
            "hasProviderConfigured": true,
        }))
        .await;
}

#[tokio::test]
async fn a_compat_client_gets_a_text_to_show_and_its_end() {
    let world = one_a_day().await;
    let mut client = world.client("a@example.com").await;
    ask(&mut client).await;
    client.next().await;
    world.worker().await.complete().await;
    client.until_end().await;
    ask(&mut client).await;
    let frames = client.until_end().await;
    let [shown, end] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!((&end["type"], &end["stopReason"]), (&json!("ai_chat_error"), &json!("rate_limited")));
    assert_eq!(shown["chunk"], end["message"]);
    let message = end["message"].as_str().unwrap();
    assert!(message.starts_with("You have used all 1 messages of a day on this server's keys."), "{message}");
    assert!(message.contains("free in 24 h 0 min"), "{message}");
    world.end().await;
}

#[tokio::test]
async fn a_v1_client_is_told_when_to_come_back_and_its_waiting_message_is_withdrawn() {
    let world = one_a_day().await;
    let mut client = world.v1("a@example.com").await;
    ask(&mut client).await;
    let ack = client.until("caught_up").await.into_iter().next().unwrap();
    let waiting = json!({
        "type": "ai_chat_request", "conversationId": ack["conversationId"], "prompt": "and?", "provider": "openai",
    });
    client.send(waiting).await;
    client.until("message:queued").await;
    ask(&mut client).await;
    let error = client.next_of("error").await;
    assert_eq!(error["code"], "rate_limited");
    let wait = error["retryAfterMs"].as_u64().unwrap();
    assert!((86_000_000..=86_400_000).contains(&wait), "{wait}");
    world.worker().await.complete().await;
    let withdrawn = client.next_of("message:withdrawn").await;
    assert_eq!(withdrawn["reason"], "free_limit");
    world.end().await;
}
