//! A v1 client that takes nothing for a while, and one that never does.

use std::time::Duration;

use serde_json::json;
use slipstream_domain::Part;
use slipstream_gateway::Settings;
use slipstream_testkit::V1Client;

use crate::owner::Reach;
use crate::world::{Twist, World};

/// More than the kernel takes for both ends and the outbox for itself.
const DELTAS: usize = 400;
const BYTES: usize = 32 * 1024;

#[tokio::test]
async fn what_a_stalled_client_missed_comes_as_few_frames_and_is_exact() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "a lot, please").await;
    let ack = client.next().await;
    let mut owner = world.worker().await;
    for n in 0..DELTAS {
        let delta = char::from(b'a' + u8::try_from(n % 26).unwrap()).to_string().repeat(BYTES);
        owner.put(Part::Text, &delta, Reach::EVERYWHERE).await;
        if n % 20 == 0 {
            owner.record().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    owner.complete().await;
    let (mut state, mut chunks) = (V1Client::default(), 0);
    let generation = ack["generationId"].as_str().unwrap();
    while !state.reply(generation).is_some_and(slipstream_testkit::v1_client::Reply::is_over) {
        let frame = client.next().await;
        chunks += usize::from(frame["type"] == "ai_chat_chunk");
        assert_eq!(state.take(&frame), Ok(None), "nothing is missing between");
    }
    assert_eq!(state.reply(generation).unwrap().text().len(), DELTAS * BYTES);
    assert!(chunks < DELTAS / 2, "{chunks} frames");
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_closed_with_4008() {
    let settings = Settings {
        stall: Duration::from_millis(500),
        goodbye: Duration::from_secs(10),
        ..Twist::default().settings
    };
    let world = World::with(Twist { settings, ..Twist::default() }).await;
    let bystander = world.bystander().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "a lot, please").await;
    let mut owner = world.worker().await;
    for _ in 0..DELTAS {
        owner.put(Part::Text, &"x".repeat(BYTES), Reach::EVERYWHERE).await;
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.close_code().await, 4008);
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_socket_follows_so_many_conversations_and_is_told_when_it_wants_more() {
    let settings = Settings { max_conversations: 2, max_in_flight: 2, ..Twist::default().settings };
    let world = World::with(Twist { settings, ..Twist::default() }).await;
    let mut client = world.v1("a@example.com").await;
    let (mut acks, mut owners) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        client.ask("new-chat", "hello").await;
        acks.push(client.until("caught_up").await.remove(0));
        owners.push(world.worker().await);
    }
    client.ask("new-chat", "hello").await;
    let error = client.next_of("error").await;
    assert_eq!(error["code"], "rate_limited");
    assert!(error["message"].as_str().unwrap().starts_with("at most 2 replies at once"), "{error}");
    owners.remove(0).complete().await;
    client.until("reply:recorded").await;
    client.ask("new-chat", "hello").await;
    let error = client.next_of("error").await;
    assert!(error["message"].as_str().unwrap().starts_with("at most 2 conversations at once"), "{error}");
    client.send(json!({"type": "unsubscribe", "conversationId": acks[1]["conversationId"]})).await;
    client.ask("new-chat", "hello").await;
    assert_eq!(client.next_of("ack").await["queued"], json!(null));
    world.end().await;
}
