//! The ways sockets begin and end.

use std::time::Duration;

use serde_json::json;
use slipstream_domain::Part;
use slipstream_gateway::Settings;

use crate::client::Client;
use crate::http::{get, upgrade};
use crate::owner::Reach;
use crate::world::{Twist, World};

async fn with(settings: Settings) -> World {
    World::with(Twist { settings, ..Twist::default() }).await
}

#[tokio::test]
async fn nobody_comes_in_without_saying_who_they_are() {
    let world = World::start().await;
    for path in [
        "/",
        "/?email=",
        "/?email=nobody",
        "/?mail=a@example.com",
        "/?email=a%ff@example.com",
        "/?email=a%zz@example.com",
    ] {
        let mut client = Client::with_headers(world.address, path, &[]).await;
        let (code, reason) = client.closed().await;
        assert_eq!(code, 4001, "{path}");
        assert!(reason.starts_with("say who you are"), "{path}: {reason}");
    }
    world.end().await;
}

#[tokio::test]
async fn who_is_not_known_in_time_is_not_let_in() {
    let settings = Settings { authentication: Duration::from_millis(100), ..Settings::default() };
    let world =
        World::with(Twist { settings, slow_authentication: Duration::from_mins(1), ..Twist::default() })
            .await;
    let mut client = world.client("a@example.com").await;
    assert_eq!(client.close_code().await, 4001);
    world.end().await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_not_let_in() {
    let settings =
        Settings { allowed_origins: vec!["https://chat.example.com".into()], ..Settings::default() };
    let world = with(settings).await;
    let path = "/?email=a@example.com";
    let mut evil = Client::with_headers(world.address, path, &[("Origin", "https://evil.example.com")]).await;
    assert_eq!(evil.close_code().await, 4003);
    let mut good = Client::with_headers(world.address, path, &[("Origin", "https://chat.example.com")]).await;
    good.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn a_page_of_elsewhere_cannot_drive_a_server_without_a_list_of_origins() {
    let world = World::start().await;
    let path = "/?email=a@example.com";
    for (header, code) in [
        (("Origin", "https://evil.example.com"), 4003),
        // A name that a page has pointed at this machine (DNS rebinding).
        (("Host", "evil.example.com"), 4001),
        (("X-Forwarded-For", "192.0.2.1"), 4001),
        (("Forwarded", "for=192.0.2.1"), 4001),
    ] {
        let mut evil = Client::with_headers(world.address, path, &[header]).await;
        assert_eq!(evil.close_code().await, code, "{header:?}");
    }
    let mut page = Client::with_headers(world.address, path, &[("Origin", "http://localhost:3000")]).await;
    page.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn any_path_upgrades_and_the_same_address_is_the_same_user() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for path in ["/?email=a@example.com", "/health?email=A%40Example.com", "/deep/down?email=a@example.com"] {
        let mut client = Client::with_headers(world.address, path, &[]).await;
        client.send(json!({"type": "ping"})).await;
        ids.push(client.next().await["userId"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn who_offers_v1_gets_it_and_any_other_subprotocol_is_not_chosen() {
    let world = World::start().await;
    for (offered, chosen) in
        [("slipstream.v1", true), ("chat, slipstream.v1", true), ("slipstream.v2", false), ("chat", false)]
    {
        let head = upgrade(world.address, &format!("sec-websocket-protocol: {offered}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        let echoed = head.to_lowercase().contains("sec-websocket-protocol: slipstream.v1\r\n");
        assert_eq!(echoed, chosen, "{offered}: {head}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_upgrade_that_is_no_websocket_handshake_is_refused() {
    let world = World::start().await;
    let head = upgrade(world.address, "sec-websocket-version: 12\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/problem+json"), "{head}");
    world.end().await;
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_others_have_their_own() {
    let world = with(Settings { sockets_per_user: 2, ..Settings::default() }).await;
    let mut two = [world.client("a@example.com").await, world.client("a@example.com").await];
    for client in &mut two {
        client.is_alive().await;
    }
    assert_eq!(world.client("a@example.com").await.close_code().await, 4029);
    world.client("b@example.com").await.is_alive().await;
    let [one, mut other] = two;
    one.close(1000).await;
    world.client("a@example.com").await.is_alive().await;
    other.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn a_flood_of_frames_closes_its_socket() {
    let world = with(Settings { frames_per_second: 20, ..Settings::default() }).await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    for _ in 0..60 {
        client.send(json!({"type": "ping"})).await;
    }
    let last = client.next_of("error").await;
    assert_eq!((&last["code"], &last["retryAfterMs"]), (&json!("rate_limited"), &json!(1_000)));
    assert_eq!(client.close_code().await, 4029);
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn more_replies_at_once_than_a_socket_may_have_are_refused() {
    let world = with(Settings { max_in_flight: 2, ..Settings::default() }).await;
    let mut client = world.client("a@example.com").await;
    client.is_alive().await;
    for _ in 0..2 {
        client.ask("new-chat", "hello").await;
        client.next_of("ai_chat_chunk").await;
    }
    client.ask("new-chat", "hello").await;
    assert_eq!(client.next_of("ai_chat_error").await["stopReason"], "rate_limited");
    world.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_a_ping_is_closed() {
    let settings = Settings { ping_every: 1, ping_answer: 1, ..Settings::default() };
    let world = with(settings).await;
    let mut quiet = world.client("a@example.com").await;
    quiet.is_alive().await;
    // A WebSocket client that is not read answers no ping; one that is does.
    let mut lively = world.client("b@example.com").await;
    for _ in 0..10 {
        lively.is_alive().await;
        lively.pass(Duration::from_millis(400)).await;
    }
    assert_eq!(quiet.close_code().await, 4010);
    lively.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_too_slow_and_its_neighbour_notices_nothing() {
    let world = with(Settings { goodbye: Duration::from_secs(10), ..Settings::default() }).await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "a lot, please").await;
    let mut owner = world.worker().await;
    let much = "x".repeat(64 * 1024);
    // More than the kernel takes for both ends and the outbox for itself.
    for _ in 0..400 {
        owner.put(Part::Text, &much, Reach { live: true, hot: false }).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.close_code().await, 4008);
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_drain_closes_every_socket_with_1012_and_ends() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client.is_alive().await;
    world.drain.cancel();
    assert_eq!(client.close_code().await, 1012);
    world.end().await;
}

#[tokio::test]
async fn a_drain_lets_replies_under_way_end_and_takes_no_new_ones() {
    let world = with(Settings { drain: Duration::from_secs(5), ..Settings::default() }).await;
    let mut idle = world.client("b@example.com").await;
    idle.is_alive().await;
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "hello").await;
    let mut owner = world.worker().await;
    owner.say("good").await;
    client.until_chunk("good").await;
    world.drain.cancel();
    assert_eq!(idle.close_code().await, 1012);
    client.ask("new-chat", "one more").await;
    let refused = client.next_of("ai_chat_error").await;
    assert_eq!(refused["stopReason"], "unavailable");
    owner.say("bye").await;
    client.until_chunk("bye").await;
    owner.complete().await;
    assert_eq!(client.next_of("ai_chat_response").await["chunk"], "goodbye");
    assert_eq!(client.close_code().await, 1012);
    world.end().await;
}

#[tokio::test]
async fn a_drain_waits_for_replies_no_longer_than_it_may() {
    let world = with(Settings { drain: Duration::from_millis(300), ..Settings::default() }).await;
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "hello").await;
    client.next_of("ai_chat_chunk").await;
    world.drain.cancel();
    assert_eq!(client.close_code().await, 1012);
    world.end().await;
}

#[tokio::test]
async fn plain_http_is_told_to_upgrade() {
    let world = World::start().await;
    let response = get(world.address, "/").await;
    assert_eq!((response.status, response.header("upgrade")), (426, Some("websocket")));
    assert_eq!(response.json()["code"], "upgrade_required");
    world.end().await;
}
