//! The promise of `04-streaming-and-resume`: a client that comes back at any moment ends with exactly the text of the log.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_domain::Part;
use slipstream_testkit::V1Client;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::client::Client;
use crate::http::EventStream;
use crate::owner::{Owner, Reach};
use crate::world::{PATIENCE, World};

/// How often a client is killed.
const LIVES: usize = 1_000;

/// Says a long reply, thinking first, in deltas of all widths; some are lost on the bus, some in the stream state too.
/// Ends when everybody is `done`.
async fn tell_a_long_story(mut owner: Owner, done: tokio::sync::oneshot::Receiver<()>) -> String {
    let words = ["a", "ä", "漢字", "🦀 ", "and so on, ", "\n"];
    let (mut text, mut seed, mut done) = (String::new(), 7_u64, done);
    for n in 0.. {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let chance = usize::try_from(seed >> 40).unwrap();
        let word = words[chance % words.len()];
        let part = if n < 20 { Part::Thinking } else { Part::Text };
        let live = chance % 11 != 0;
        owner.put(part, word, Reach { live, hot: true }).await;
        if part == Part::Text {
            text.push_str(word);
        }
        if n % 40 == 0 {
            owner.record().await;
        }
        if n % 50 == 0 {
            owner.beat().await;
        }
        if done.try_recv().is_ok() {
            break;
        }
        sleep(Duration::from_millis(2)).await;
    }
    owner.complete().await;
    text
}

/// Takes one frame, and sends what it leads to.
async fn take(state: &mut V1Client, client: &mut Client) {
    let frame = client.next().await;
    if let Some(answer) = state.take(&frame).unwrap() {
        client.send(answer).await;
    }
}

#[tokio::test]
async fn a_client_killed_a_thousand_times_during_one_long_reply_ends_with_its_digest() {
    let world = World::start().await;
    let (mut state, mut client) = (V1Client::default(), world.v1("a@example.com").await);
    client.ask("new-chat", "tell me a long story").await;
    let ack = client.next().await;
    let conversation = ack["conversationId"].as_str().unwrap().to_owned();
    let generation = ack["generationId"].as_str().unwrap().to_owned();
    let (done, is_done) = tokio::sync::oneshot::channel();
    let story = TaskTracker::new().spawn(tell_a_long_story(world.worker().await, is_done));
    for life in 0..LIVES {
        for _ in 0..life % 7 {
            take(&mut state, &mut client).await;
        }
        client.vanish();
        state.disconnected();
        client = world.v1("a@example.com").await;
        client.send(state.subscribe(&conversation)).await;
    }
    done.send(()).unwrap();
    let end = async {
        while state.conversation(&conversation).is_none_or(|known| known.version < 5) {
            take(&mut state, &mut client).await;
        }
    };
    timeout(PATIENCE * 3, end).await.expect("the reply ends");
    let text = story.await.unwrap();
    let reply = state.reply(&generation).unwrap();
    assert!(text.len() > LIVES && reply.text() == text && !reply.thinking().is_empty());
    // Its digest was compared by the client.
    assert_eq!(reply.terminal().unwrap()["status"], "completed");
    let kinds: Vec<_> =
        state.conversation(&conversation).unwrap().events.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(
        kinds,
        [
            "conversation:created",
            "message:posted",
            "reply:requested",
            "conversation:title_updated",
            "reply:recorded"
        ]
        .map(Value::from)
    );
    world.end().await;
}

#[tokio::test]
async fn an_http_client_cut_off_again_and_again_ends_with_the_digest() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "tell me a long story").await;
    let ack = client.next().await;
    let generation = ack["generationId"].as_str().unwrap().to_owned();
    let path = format!("/v1/generations/{generation}/stream?email=a@example.com");
    let (done, is_done) = tokio::sync::oneshot::channel();
    let story = TaskTracker::new().spawn(tell_a_long_story(world.worker().await, is_done));
    let (mut state, mut last) = (V1Client::default(), None::<String>);
    for life in 0..LIVES / 4 {
        let mut stream = EventStream::open(world.address, &path, last.as_deref()).await;
        for _ in 0..=life % 7 {
            let (id, frame) = stream.next().await.unwrap();
            assert_eq!(state.take(&frame), Ok(None), "nothing is missing between");
            last = Some(id);
        }
    }
    done.send(()).unwrap();
    let mut stream = EventStream::open(world.address, &path, last.as_deref()).await;
    while let Some((_, frame)) = stream.next().await {
        assert_eq!(state.take(&frame), Ok(None));
    }
    let (text, reply) = (story.await.unwrap(), state.reply(&generation).unwrap());
    assert!(reply.is_over() && reply.text() == text);
    world.end().await;
}

#[tokio::test]
async fn an_http_client_in_an_earlier_epoch_is_reset() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "hello").await;
    let ack = client.next().await;
    let path =
        format!("/v1/generations/{}/stream?email=a@example.com", ack["generationId"].as_str().unwrap());
    let mut owner = world.worker().await;
    let mut stream = EventStream::open(world.address, &path, None).await;
    assert_eq!(stream.next().await.unwrap().1["mode"], "pending");
    owner.put(Part::Text, "lost", Reach::EVERYWHERE).await;
    let (last, frame) = stream.next().await.unwrap();
    assert_eq!((last.as_str(), &frame["chunk"]), ("1-1", &json!("lost")));
    let mut owner = owner.replaced(&world).await;
    let mut back = EventStream::open(world.address, &path, Some(&last)).await;
    let (id, reset) = back.next().await.unwrap();
    assert_eq!((id.as_str(), &reset["mode"]), ("2-0", &json!("reset")));
    owner.say("found").await;
    owner.complete().await;
    for mut stream in [stream, back] {
        let (mut ids, mut frames) = (Vec::new(), Vec::new());
        while let Some((id, frame)) = stream.next().await {
            ids.push(id);
            frames.push(frame);
        }
        assert_eq!(ids.last().unwrap(), "2-1");
        assert_eq!(frames.last().unwrap()["chunk"], "found", "and after it the stream has ended");
    }
    world.end().await;
}

#[tokio::test]
async fn only_its_owner_may_follow_a_reply_and_a_wrong_place_is_named() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "hello").await;
    let generation = client.next().await["generationId"].as_str().unwrap().to_owned();
    world.v1("b@example.com").await.is_alive().await;
    let unknown = uuid::Uuid::now_v7().to_string();
    for (id, user, last, status, detail) in [
        (&generation, "b@example.com", None, 404, "no such generation"),
        (&unknown, "a@example.com", None, 404, "no such generation"),
        (&"home".to_owned(), "a@example.com", None, 404, "no such generation"),
        (&generation, "a@example.com", Some("17"), 400, "Last-Event-ID must be the id of an event"),
        (&generation, "a@example.com", Some("2-0"), 400, "Last-Event-ID: epoch must be at most 1"),
        (&generation, "a@example.com", Some("1-9"), 400, "Last-Event-ID: seq must be at most 0"),
        (&generation, "nobody@example.com", None, 401, "nobody has this address"),
    ] {
        let path = format!("/v1/generations/{id}/stream?email={user}");
        let response = crate::http::get_from(world.address, &path, last).await;
        let problem = response.json();
        assert_eq!(response.status, status, "{id} {last:?}: {problem}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_drain_ends_streams_where_they_stand() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "hello").await;
    let ack = client.next().await;
    let path =
        format!("/v1/generations/{}/stream?email=a@example.com", ack["generationId"].as_str().unwrap());
    let mut stream = EventStream::open(world.address, &path, None).await;
    stream.next().await.unwrap();
    let mut owner = world.worker().await;
    owner.say("one").await;
    assert_eq!(stream.next().await.unwrap().0, "1-1");
    client.until_chunk("one").await;
    world.drain.cancel();
    assert!(stream.next().await.is_none());
    assert_eq!(client.close_code().await, 1012);
    world.end().await;
}
