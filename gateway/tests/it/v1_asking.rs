//! What a v1 client may ask: at once, in a queue, instead of what runs, again; to stop, to edit, to regenerate, to rate.

use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::world::World;

/// Sends a request with these fields more, in a conversation.
async fn ask(client: &mut Client, conversation: &Value, prompt: &str, more: Value) {
    let mut frame = json!({
        "type": "ai_chat_request", "conversationId": conversation, "prompt": prompt, "provider": "simulated",
    });
    frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.send(frame).await;
}

/// A client that follows a conversation in which a reply is asked for; the ack.
async fn asked(client: &mut Client) -> Value {
    ask(client, &json!("new-chat"), "hello there", json!({})).await;
    client.until("caught_up").await.into_iter().next().unwrap()
}

fn types(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_waits_for_the_reply_that_is_made_and_goes_next() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let first = asked(&mut client).await;
    let conversation = &first["conversationId"];
    for n in 1..=2 {
        ask(&mut client, conversation, &format!("more {n}"), json!({})).await;
        let frames = client.until("message:queued").await;
        assert_eq!(types(&frames), ["ack", "message:queued"]);
        assert_eq!((&frames[0]["queued"], &frames[1]["text"]), (&json!(n), &json!(format!("more {n}"))));
        assert_eq!(frames[0]["generationId"], frames[1]["generationId"]);
    }
    let mut owner = world.worker().await;
    owner.say("one").await;
    owner.complete().await;
    let frames = client.until("reply:requested").await;
    assert_eq!(
        types(&frames[1..]),
        ["ai_chat_response", "reply:recorded", "message:posted", "reply:requested"]
    );
    assert_eq!(
        (&frames[3]["text"], &frames[3]["parentMessageId"]),
        (&json!("more 1"), &frames[1]["messageId"])
    );
    let mut owner = world.worker().await;
    owner.say("two").await;
    owner.complete().await;
    assert_eq!(client.next_of("ai_chat_response").await["chunk"], "two");
    world.end().await;
}

#[tokio::test]
async fn a_message_that_replaces_stops_the_reply_and_goes_next() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let first = asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.say("one").await;
    client.until_chunk("one").await;
    ask(&mut client, &first["conversationId"], "rather", json!({"onBusy": "replace"})).await;
    assert_eq!(types(&client.until("message:queued").await), ["ack", "message:queued"]);
    assert!(owner.is_cancelled().await);
    owner.end(slipstream_domain::TerminalStatus::Cancelled, None).await;
    let frames = client.until("reply:requested").await;
    assert_eq!((&frames[0]["type"], &frames[0]["status"]), (&json!("ai_chat_response"), &json!("cancelled")));
    assert_eq!(frames[2]["text"], "rather");
    world.end().await;
}

#[tokio::test]
async fn a_message_that_will_not_wait_is_refused_by_an_error_and_no_end() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let first = asked(&mut client).await;
    ask(&mut client, &first["conversationId"], "now!", json!({"onBusy": "reject"})).await;
    let error = client.next().await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("busy")));
    assert!(error["requestId"].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    client.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn the_same_client_message_id_is_accepted_once_and_acknowledged_alike() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let name = json!({"clientMessageId": "mine-1"});
    ask(&mut client, &json!("new-chat"), "hello there", name.clone()).await;
    let ack = client.until("caught_up").await.into_iter().next().unwrap();
    assert_eq!(ack["clientMessageId"], "mine-1");
    let mut owner = world.worker().await;
    owner.say("hi").await;
    ask(&mut client, &json!("new-chat"), "hello there", name.clone()).await;
    assert_eq!(client.next_of("ack").await, ack);
    owner.complete().await;
    client.until("reply:recorded").await;
    // A client that lost its memory gets the whole of it.
    let mut other = world.v1("a@example.com").await;
    ask(&mut other, &json!("new-chat"), "hello there", name.clone()).await;
    let frames = other.until("caught_up").await;
    assert_eq!(frames[0], ack);
    assert_eq!((&frames[1]["mode"], text(&frames).as_str()), (&json!("final"), "hi"));
    assert_eq!(types(&frames[3..]).first(), Some(&"ai_chat_response"));
    // Another user's name is another name.
    let mut stranger = world.v1("b@example.com").await;
    ask(&mut stranger, &json!("new-chat"), "hello there", name).await;
    assert_ne!(stranger.next().await["messageId"], ack["messageId"]);
    world.end().await;
}

#[tokio::test]
async fn a_waiting_message_is_withdrawn_by_its_generation_again_and_again_without_an_end() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let first = asked(&mut client).await;
    ask(&mut client, &first["conversationId"], "more", json!({})).await;
    let queued = client.until("message:queued").await.remove(0);
    let cancel = json!({"type": "ai_chat_cancel", "generationId": queued["generationId"]});
    client.send(cancel.clone()).await;
    let withdrawn = client.next().await;
    assert_eq!(
        (&withdrawn["type"], &withdrawn["reason"]),
        (&json!("message:withdrawn"), &json!("cancelled"))
    );
    assert_eq!(withdrawn["messageId"], queued["messageId"]);
    client.send(cancel).await;
    client.hears_nothing().await;
    let mut owner = world.worker().await;
    owner.say("one").await;
    owner.complete().await;
    assert_eq!(*types(&client.until("reply:recorded").await).last().unwrap(), "reply:recorded");
    client.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_cancel_without_a_name_stops_everything_of_the_user_and_withdraws_what_waits() {
    let world = World::start().await;
    let (mut client, mut other) = (world.v1("a@example.com").await, world.v1("b@example.com").await);
    let mut firsts = Vec::new();
    for _ in 0..2 {
        firsts.push(asked(&mut client).await);
        world.requested().await;
    }
    let bystander = asked(&mut other).await;
    ask(&mut client, &firsts[0]["conversationId"], "more", json!({})).await;
    client.until("message:queued").await;
    client.send(json!({"type": "ai_chat_cancel"})).await;
    let (mut ends, mut withdrawn) = (0, 0);
    while (ends, withdrawn) != (2, 1) {
        let frame = client.next().await;
        ends += i32::from(frame["status"] == "cancelled" && frame["type"] == "ai_chat_response");
        withdrawn += i32::from(frame["type"] == "message:withdrawn");
    }
    client.send(json!({"type": "ai_chat_cancel"})).await;
    other.hears_nothing().await;
    let foreign = json!({"type": "ai_chat_cancel", "generationId": bystander["generationId"]});
    client.send(foreign).await;
    assert_eq!(client.next_of("error").await["code"], "not_found");
    world.end().await;
}

#[tokio::test]
async fn a_wrong_field_is_answered_by_an_error_that_names_it_and_no_end() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let ack = asked(&mut client).await;
    let (conversation, generation) = (&ack["conversationId"], &ack["generationId"]);
    let request = |more: Value| {
        let mut frame = json!({"type": "ai_chat_request", "conversationId": "new-chat", "prompt": "x", "provider": "simulated"});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    };
    let has = |epoch: u64, seq: u64| {
        let generations = json!([{"generationId": generation, "epoch": epoch, "seq": seq}]);
        json!({"type": "subscribe", "conversationId": conversation, "generations": generations})
    };
    for (frame, wanted) in [
        (request(json!({"prompt": " "})), "prompt must not be empty"),
        (request(json!({"provider": "opanai"})), "provider must be openai or simulated"),
        (request(json!({"clientMessageId": ""})), "clientMessageId must be a text of 1 to 128 bytes"),
        (request(json!({"parentMessageId": "x"})), "parentMessageId must be the id of a message"),
        (
            request(json!({"parentMessageId": generation})),
            "parentMessageId is not a message of this conversation",
        ),
        (request(json!({"onBusy": "wait"})), "onBusy must be queue, replace or reject"),
        (json!({"type": "subscribe"}), "conversationId is missing"),
        (json!({"type": "unsubscribe"}), "conversationId is missing"),
        (
            json!({"type": "subscribe", "conversationId": conversation, "version": 99}),
            "version must be at most 4",
        ),
        (has(2, 0), "generations[0].epoch must be at most 1"),
        (has(1, 5), "generations[0].seq must be at most 0"),
        (json!({"type": "ai_chat_edit", "prompt": "x"}), "messageId is missing"),
        (json!({"type": "message_rate", "messageId": generation}), "rating is missing"),
    ] {
        client.send(frame.clone()).await;
        let error = client.next_of("error").await;
        assert_eq!(error["code"], "bad_frame", "{frame}");
        assert!(error["message"].as_str().unwrap().starts_with(wanted), "{frame}: {error}");
    }
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn frames_of_v1_are_unknown_to_a_compat_socket() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let id = uuid::Uuid::now_v7();
    for frame in [
        json!({"type": "subscribe", "conversationId": id}),
        json!({"type": "ai_chat_edit", "messageId": id, "prompt": "x"}),
    ] {
        client.send(frame).await;
        assert_eq!(client.next().await["code"], "unknown_type");
    }
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn an_edit_and_a_reply_made_again_are_told_to_every_socket_that_follows() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let first = asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.say("hi").await;
    owner.complete().await;
    client.until("reply:recorded").await;
    let mut other = world.v1("a@example.com").await;
    other.send(json!({"type": "subscribe", "conversationId": first["conversationId"]})).await;
    other.until("caught_up").await;

    client.send(json!({"type": "ai_chat_edit", "messageId": first["messageId"], "prompt": "good day"})).await;
    let edited = client.until("reply:requested").await;
    assert_eq!(types(&edited), ["ack", "message:posted", "reply:requested"]);
    assert_eq!((&edited[1]["editedFrom"], &edited[1]["text"]), (&first["messageId"], &json!("good day")));
    assert_eq!(other.until("reply:requested").await, edited[1..]);
    let mut owner = world.worker().await;
    owner.say("good day to you").await;
    owner.complete().await;
    let reply = client.until("reply:recorded").await.pop().unwrap();
    other.until("reply:recorded").await;

    client
        .send(json!({"type": "ai_chat_regenerate", "messageId": reply["messageId"], "model": "simulated-1"}))
        .await;
    let again = client.until("reply:requested").await;
    assert_eq!(types(&again), ["ack", "conversation:leaf_chosen", "reply:requested"]);
    assert_eq!(
        (&again[0]["messageId"], &again[2]["parentMessageId"]),
        (&edited[0]["messageId"], &edited[0]["messageId"])
    );
    assert_eq!(other.until("reply:requested").await, again[1..]);
    let mut owner = world.worker().await;
    owner.say("hello!").await;
    owner.complete().await;
    assert_eq!(other.next_of("ai_chat_response").await["chunk"], "hello!");
    client
        .send(json!({"type": "ai_chat_regenerate", "messageId": reply["messageId"], "model": "gpt-6"}))
        .await;
    let error = client.next_of("error").await;
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("bad_frame"), &json!("model must be simulated-1"))
    );
    world.end().await;
}

#[tokio::test]
async fn a_branch_that_is_chosen_and_a_rating_are_acknowledged_and_told() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let first = asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.say("hi").await;
    owner.complete().await;
    let reply = client.until("reply:recorded").await.pop().unwrap();
    for (frame, kind) in [
        (json!({"type": "message_rate", "messageId": reply["messageId"], "rating": "up"}), "message:rated"),
        (
            json!({"type": "conversation_choose_leaf", "messageId": first["messageId"]}),
            "conversation:leaf_chosen",
        ),
    ] {
        client.send(frame.clone()).await;
        let frames = client.until(kind).await;
        assert_eq!(types(&frames), ["ack", kind]);
        assert_eq!(
            (&frames[0]["version"], &frames[1]["messageId"]),
            (&frames[1]["version"], &frame["messageId"])
        );
        // A repeat changes nothing and is acknowledged.
        client.send(frame).await;
        assert_eq!(client.next().await, frames[0]);
    }
    client.hears_nothing().await;
    world.end().await;
}
