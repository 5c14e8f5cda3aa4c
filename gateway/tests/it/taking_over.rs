//! Compat rule 11: a client that comes back says nothing, and its reply goes on.

use std::time::Duration;

use serde_json::json;
use slipstream_domain::Part;
use slipstream_gateway::Settings;

use crate::client::{Client, text};
use crate::owner::{Owner, Reach};
use crate::world::{Twist, World};

/// A client that has read "one two" of a reply.
async fn half_way(world: &World) -> (Client, Owner) {
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "count").await;
    let mut owner = world.worker().await;
    owner.think("counting", 40).await;
    owner.say("one ").await;
    owner.say("two").await;
    client.until_chunk("one two").await;
    (client, owner)
}

/// Long enough for the gateway to see that a connection broke.
async fn seen() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn after_a_broken_connection_the_next_socket_goes_on_where_the_first_stood() {
    let world = World::start().await;
    let (client, mut owner) = half_way(&world).await;
    client.vanish();
    seen().await;
    owner.say(" three").await;
    let mut client = world.client("a@example.com").await;
    client.until_chunk(" three").await;
    owner.say(" four").await;
    owner.complete().await;
    let frames = client.until_end().await;
    assert_eq!(text(&frames), " four");
    assert_eq!(frames.last().unwrap()["chunk"], "one two three four");
    assert_eq!(frames.last().unwrap()["thinkingText"], "counting");
    world.end().await;
}

#[tokio::test]
async fn after_a_reload_the_next_socket_gets_everything_so_far_as_one_chunk() {
    let world = World::start().await;
    let (client, mut owner) = half_way(&world).await;
    client.close(1001).await;
    owner.say(" three").await;
    let mut client = world.client("a@example.com").await;
    let thinking = client.next().await;
    assert_eq!(thinking["thinkingText"], "counting");
    assert_eq!(client.next().await["chunk"], "one two three");
    owner.say(" four").await;
    owner.complete().await;
    assert_eq!(text(&client.until_end().await), " four");
    world.end().await;
}

#[tokio::test]
async fn any_other_close_code_is_like_a_broken_connection() {
    let world = World::start().await;
    let (client, mut owner) = half_way(&world).await;
    client.close(1000).await;
    owner.say(" three").await;
    owner.complete().await;
    let mut client = world.client("a@example.com").await;
    assert_eq!(text(&client.until_end().await), " three");
    world.end().await;
}

#[tokio::test]
async fn an_end_that_came_while_nobody_listened_is_told_to_who_comes_back() {
    let world = World::start().await;
    let (client, owner) = half_way(&world).await;
    client.close(1000).await;
    owner.complete().await;
    let mut client = world.client("a@example.com").await;
    let frames = client.until_end().await;
    assert_eq!(
        (frames.len(), &frames[0]["chunk"]),
        (1, &json!("one two")),
        "nothing but the end was missing"
    );
    world.end().await;
}

#[tokio::test]
async fn a_page_loaded_anew_after_the_end_reads_it_and_gets_nothing() {
    let world = World::start().await;
    let (client, owner) = half_way(&world).await;
    client.close(1001).await;
    owner.complete().await;
    let mut client = world.client("a@example.com").await;
    client.hears_nothing().await;
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn another_browser_or_another_user_takes_nothing_over() {
    let world = World::start().await;
    let (client, mut owner) = half_way(&world).await;
    client.close(1000).await;
    owner.say(" three").await;
    let mut other_browser = Client::connect(world.address, "a@example.com", "another").await;
    let mut other_user = world.client("b@example.com").await;
    other_browser.hears_nothing().await;
    other_user.hears_nothing().await;
    let mut same = world.client("a@example.com").await;
    same.until_chunk(" three").await;
    owner.complete().await;
    same.until_end().await;
    world.end().await;
}

#[tokio::test]
async fn a_reply_is_taken_over_once() {
    let world = World::start().await;
    let (client, mut owner) = half_way(&world).await;
    client.close(1000).await;
    let mut first = world.client("a@example.com").await;
    first.is_alive().await;
    owner.say(" three").await;
    first.until_chunk(" three").await;
    let mut second = world.client("a@example.com").await;
    second.hears_nothing().await;
    owner.complete().await;
    first.until_end().await;
    world.end().await;
}

#[tokio::test]
async fn a_client_that_left_before_its_message_was_posted_gets_its_reply_when_it_comes_back() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "count").await;
    client.close(1000).await;
    let mut owner = world.worker().await;
    owner.say("one").await;
    let mut client = world.client("a@example.com").await;
    client.until_chunk("one").await;
    owner.complete().await;
    client.until_end().await;
    world.end().await;
}

#[tokio::test]
async fn a_client_that_is_back_before_its_earlier_socket_is_known_dead_gets_the_rest() {
    let settings = Settings { ping_every: 2, ping_answer: 1, ..Twist::default().settings };
    let world = World::with(Twist { settings, ..Twist::default() }).await;
    // Not read any more, it answers no ping, and never closes.
    let (_half_open, mut owner) = half_way(&world).await;
    let mut client = world.client("a@example.com").await;
    // What is written before the earlier socket is given up is lost with it (`04-streaming-and-resume`, "Other rules").
    client.pass(Duration::from_secs(5)).await;
    owner.say(" three").await;
    client.until_chunk_within(" three", Duration::from_secs(15)).await;
    owner.say(" four").await;
    owner.complete().await;
    let frames = client.until_end().await;
    assert_eq!(
        (text(&frames).as_str(), &frames.last().unwrap()["chunk"]),
        (" four", &json!("one two three four"))
    );
    world.end().await;
}

#[tokio::test]
async fn an_open_tab_does_not_get_the_reply_of_another_that_is_closed() {
    let world = World::start().await;
    let (client, owner) = half_way(&world).await;
    let mut other_tab = world.client("a@example.com").await;
    // Until it is not new any more.
    other_tab.pass(Duration::from_millis(2_500)).await;
    client.close(1001).await;
    other_tab.pass(Duration::from_secs(2)).await;
    other_tab.hears_nothing().await;
    let mut reloaded = world.client("a@example.com").await;
    reloaded.until_chunk("one two").await;
    owner.complete().await;
    reloaded.until_end().await;
    world.end().await;
}

#[tokio::test]
async fn all_replies_of_a_lost_socket_are_taken_over_by_the_next() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let mut owners = Vec::new();
    for _ in 0..3 {
        client.ask("new-chat", "count").await;
        let mut owner = world.worker().await;
        owner.say("one").await;
        client.until_chunk("one").await;
        owners.push(owner);
    }
    client.close(1000).await;
    let mut client = world.client("a@example.com").await;
    client.is_alive().await;
    for owner in owners {
        owner.complete().await;
    }
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(client.next_of("ai_chat_response").await["conversationId"].to_string());
    }
    ended.sort();
    ended.dedup();
    assert_eq!(ended.len(), 3);
    world.end().await;
}

#[tokio::test]
async fn an_end_that_was_written_is_not_written_again_to_the_next_socket() {
    let world = World::start().await;
    for _ in 0..40 {
        let (mut client, owner) = half_way(&world).await;
        owner.complete().await;
        client.next_of("ai_chat_response").await;
        client.vanish();
    }
    let mut client = world.client("a@example.com").await;
    client.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_slow_socket_that_waits_for_its_end_is_not_taken_for_dead() {
    let world = World::start().await;
    let mut slow = world.client("a@example.com").await;
    slow.ask("new-chat", "a lot, please").await;
    let mut owner = world.worker().await;
    // More than the kernel takes for both ends, so that the end cannot be written while nothing is read.
    for _ in 0..60 {
        owner.put(Part::Text, &"x".repeat(200 * 1024), Reach::LOG_ALONE).await;
        owner.record().await;
    }
    owner.complete().await;
    // Longer than a dead gateway's silence, wherever in it the end is found.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let mut other_tab = world.client("a@example.com").await;
    // Long enough to read the reply from the log.
    tokio::time::sleep(Duration::from_secs(3)).await;
    other_tab.hears_nothing().await;
    assert_eq!(slow.next_of("ai_chat_response").await["type"], "ai_chat_response");
    world.end().await;
}
