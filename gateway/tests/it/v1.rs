//! `slipstream.v1` (`03-wire-protocol`, "v1 additions"): what a client gets for what it sends.

use serde_json::{Value, json};
use slipstream_domain::{ErrorClass, Part, TerminalStatus};

use crate::client::{Client, text};
use crate::owner::{Owner, Reach};
use crate::world::World;

/// The types of frames, and of resumed streams their modes.
fn kinds(frames: &[Value]) -> Vec<String> {
    let kind = |frame: &Value| {
        let mode = frame["mode"].as_str().map(|mode| format!(" {mode}")).unwrap_or_default();
        format!("{}{mode}", frame["type"].as_str().unwrap())
    };
    frames.iter().map(kind).collect()
}

/// Asks in a new chat, and reads up to `caught_up`; the ack.
async fn asked(client: &mut Client) -> Value {
    client.ask("new-chat", "hello there").await;
    let frames = client.until("caught_up").await;
    frames.into_iter().next().unwrap()
}

async fn subscribe(client: &mut Client, ack: &Value, has: Option<(u64, u64)>) -> Vec<Value> {
    let mut frame = json!({"type": "subscribe", "conversationId": ack["conversationId"]});
    if let Some((epoch, seq)) = has {
        frame["generations"] = json!([{"generationId": ack["generationId"], "epoch": epoch, "seq": seq}]);
    }
    client.send(frame).await;
    client.until("caught_up").await
}

/// A reply of which "one two" has been said, and the ack of its request.
async fn half_way(world: &World) -> (Client, Value, Owner) {
    let mut client = world.v1("a@example.com").await;
    let ack = asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.think("counting", 40).await;
    owner.say("one ").await;
    owner.say("two").await;
    owner.record().await;
    client.until_chunk("one two").await;
    (client, ack, owner)
}

#[tokio::test]
async fn the_first_frame_says_who_is_connected_and_what_may_be_done() {
    let world = World::start().await;
    let mut client = Client::v1_unread(world.address, "a@example.com").await;
    let first = client.next().await;
    assert_eq!(
        (&first["type"], &first["protocol"]),
        (&json!("connection_established"), &json!("slipstream.v1"))
    );
    assert_eq!(first["limits"]["maxPromptBytes"], 256 * 1024);
    assert_eq!((&first["limits"]["maxInFlight"], &first["heartbeatMs"]), (&json!(8), &json!(25_000)));
    assert_eq!(first["providers"], json!({"isSet": false, "isDefault": false}));
    for id in ["connectionId", "userId"] {
        assert!(first[id].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    }
    assert!(first["serverTime"].as_i64().unwrap() > 0 && first["resumeWindowMs"].as_i64().unwrap() > 0);
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn a_request_is_acknowledged_and_its_conversation_followed_from_its_beginning_to_the_end() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "hello there").await;
    let frames = client.until("caught_up").await;
    assert_eq!(
        kinds(&frames),
        [
            "ack",
            "stream:resumed pending",
            "conversation:created",
            "message:posted",
            "reply:requested",
            "conversation:title_updated",
            "caught_up"
        ]
    );
    let (ack, posted, requested) = (&frames[0], &frames[3], &frames[4]);
    assert_eq!((&posted["messageId"], &posted["text"]), (&ack["messageId"], &json!("hello there")));
    assert_eq!(
        (&posted["generationId"], &posted["replyMessageId"]),
        (&ack["generationId"], &requested["messageId"])
    );
    assert_eq!(
        (&requested["generationId"], &requested["parentMessageId"]),
        (&ack["generationId"], &ack["messageId"])
    );
    assert_eq!((&frames[5]["title"], &frames[6]["version"]), (&json!("hello there"), &ack["version"]));
    let mut owner = world.worker().await;
    owner.think("hm", 40).await;
    owner.say("good").await;
    owner.say("bye").await;
    owner.complete().await;
    let frames = client.until("reply:recorded").await;
    let thought = &frames[0];
    assert_eq!(
        (&thought["part"], &thought["thinkingText"], &thought["seq"], &thought["count"], &thought["offset"]),
        (&json!("thinking"), &json!("hm"), &json!(1), &json!(1), &json!(0))
    );
    let said = &frames[1];
    assert_eq!(
        (&said["part"], &said["offset"], text(&frames)),
        (&json!("text"), &json!(0), "goodbye".into())
    );
    assert_eq!((&said["generationId"], &said["messageId"]), (&ack["generationId"], &requested["messageId"]));
    let end = &frames[frames.len() - 2];
    assert_eq!(
        (&end["type"], &end["status"], &end["finalSeq"]),
        (&json!("ai_chat_response"), &json!("completed"), &json!(3))
    );
    assert_eq!(
        (&end["chunk"], &end["tokenUsage"]["total"], &end["epoch"]),
        (&json!("goodbye"), &json!(7), &json!(1))
    );
    assert_eq!(end["digest"], "82e35a63ceba37e9646434c5dd412ea577147f1e4a41ccde1614253187e3dbf9");
    assert_eq!(end["version"], frames[frames.len() - 1]["version"]);
    world.end().await;
}

#[tokio::test]
async fn an_end_is_a_response_unless_the_reply_failed() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    for (status, fault, said, kind) in [
        (TerminalStatus::Completed, None, "hi", "ai_chat_response"),
        (TerminalStatus::Cancelled, None, "", "ai_chat_response"),
        (TerminalStatus::Interrupted, None, "hi", "ai_chat_response"),
        (TerminalStatus::Failed, Some((ErrorClass::Timeout, "slow")), "hi", "ai_chat_error"),
    ] {
        asked(&mut client).await;
        let mut owner = world.worker().await;
        if !said.is_empty() {
            owner.say(said).await;
        }
        owner.end(status, fault).await;
        let frames = client.until("reply:recorded").await;
        let end = &frames[frames.len() - 2];
        assert_eq!((&end["type"], &end["status"]), (&json!(kind), &json!(status.as_str())));
        assert_eq!(text(&frames), said, "nothing is added to the text");
    }
    world.end().await;
}

#[tokio::test]
async fn two_sockets_of_one_user_get_the_same_stream_and_another_user_nothing() {
    let world = World::start().await;
    let mut one = world.v1("a@example.com").await;
    let (mut two, mut other) = (world.v1("a@example.com").await, world.v1("b@example.com").await);
    let ack = asked(&mut one).await;
    for kind in ["conversation:created", "conversation:title_updated"] {
        assert_eq!(two.next().await["type"], kind, "all sockets of the user hear of the conversation");
    }
    assert_eq!(kinds(&subscribe(&mut two, &ack, None).await), ["stream:resumed pending", "caught_up"]);
    let mut owner = world.worker().await;
    for word in ["a", "b", "c"] {
        owner.say(word).await;
    }
    owner.complete().await;
    let (heard, also) = (one.until("reply:recorded").await, two.until("reply:recorded").await);
    assert_eq!((text(&heard).as_str(), text(&also).as_str()), ("abc", "abc"));
    assert_eq!(heard[heard.len() - 2..], also[also.len() - 2..]);
    // A new message is a matter of both.
    one.ask(ack["conversationId"].as_str().unwrap(), "and then?").await;
    let again = one.until("reply:requested").await;
    assert_eq!(kinds(&again), ["ack", "message:posted", "reply:requested"]);
    assert_eq!(two.until("reply:requested").await, again[1..]);
    let mut owner = world.worker().await;
    owner.say("d").await;
    one.until_chunk("d").await;
    two.until_chunk("d").await;
    other.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn replay_pending_and_final_go_on_from_the_asked_place() {
    let world = World::start().await;
    let (_first, ack, mut owner) = half_way(&world).await;
    let mut client = world.v1("a@example.com").await;
    let all = subscribe(&mut client, &ack, None).await;
    assert_eq!(kinds(&all), ["stream:resumed replay", "ai_chat_chunk", "ai_chat_chunk", "caught_up"]);
    assert_eq!((&all[0]["seq"], &all[0]["offset"]), (&json!(0), &json!({"text": 0, "thinking": 0})));
    assert_eq!((&all[0]["provider"], &all[0]["title"]), (&json!("simulated"), &json!("hello there")));
    assert_eq!(
        (&all[2]["chunk"], &all[2]["seq"], &all[2]["count"]),
        (&json!("one two"), &json!(3), &json!(2))
    );
    let rest = subscribe(&mut client, &ack, Some((1, 2))).await;
    assert_eq!(kinds(&rest), ["stream:resumed replay", "ai_chat_chunk", "caught_up"]);
    assert_eq!((&rest[0]["offset"], &rest[1]["chunk"]), (&json!({"text": 4, "thinking": 8}), &json!("two")));
    owner.say(" three").await;
    owner.complete().await;
    assert_eq!(text(&client.until("reply:recorded").await), " three", "once, though subscribed twice");
    let over = subscribe(&mut client, &ack, Some((1, 3))).await;
    assert_eq!(kinds(&over), ["stream:resumed final", "ai_chat_chunk", "ai_chat_response", "caught_up"]);
    assert_eq!((&over[1]["chunk"], &over[2]["chunk"]), (&json!(" three"), &json!("one two three")));
    assert_eq!(kinds(&subscribe(&mut client, &ack, None).await), ["caught_up"], "nothing is under way");
    world.end().await;
}

#[tokio::test]
async fn a_takeover_resets_who_is_in_an_earlier_epoch_live_and_when_it_comes_back() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let ack = asked(&mut client).await;
    let mut owner = world.worker().await;
    // Shown, and lost with its owner.
    owner.put(Part::Text, "lost", Reach::EVERYWHERE).await;
    client.until_chunk("lost").await;
    let mut owner = owner.replaced(&world).await;
    owner.say("found").await;
    let frames = client.until("ai_chat_chunk").await;
    assert_eq!(kinds(&frames), ["stream:resumed reset", "ai_chat_chunk"]);
    let reset = json!([2, 0, {"text": 0, "thinking": 0}]);
    assert_eq!(json!([frames[0]["epoch"], frames[0]["seq"], frames[0]["offset"]]), reset);
    assert_eq!(
        (&frames[1]["epoch"], &frames[1]["seq"], &frames[1]["chunk"]),
        (&json!(2), &json!(1), &json!("found"))
    );
    let back = subscribe(&mut client, &ack, Some((1, 1))).await;
    assert_eq!(kinds(&back), ["stream:resumed reset", "ai_chat_chunk", "caught_up"]);
    assert_eq!(json!([back[0]["epoch"], back[0]["seq"], back[0]["offset"]]), reset);
    owner.complete().await;
    assert_eq!(client.next_of("ai_chat_response").await["chunk"], "found");
    world.end().await;
}

#[tokio::test]
async fn what_is_deleted_or_was_never_there_is_gone() {
    let world = World::start().await;
    let (mut client, ack, owner) = half_way(&world).await;
    owner.complete().await;
    client.until("reply:recorded").await;
    let unknown = json!({"conversationId": ack["conversationId"], "generationId": uuid::Uuid::now_v7()});
    let frames = subscribe(&mut client, &unknown, Some((1, 0))).await;
    assert_eq!(kinds(&frames), ["stream:resumed gone", "caught_up"]);
    assert_eq!((frames[0].get("seq"), frames[0].get("epoch")), (None, None));
    let user = client_user(&mut client).await;
    let conversation = ack["conversationId"].as_str().unwrap().parse().unwrap();
    slipstream_commands::delete_conversation(&world.app, user, conversation).await.unwrap();
    assert_eq!(client.next().await["type"], "conversation:deleted");
    let frames = subscribe(&mut client, &ack, Some((1, 3))).await;
    assert_eq!(kinds(&frames), ["stream:resumed gone", "caught_up"]);
    world.end().await;
}

async fn client_user(client: &mut Client) -> slipstream_domain::UserId {
    client.send(json!({"type": "ping"})).await;
    client.next_of("pong").await["userId"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_foreign_and_an_unknown_conversation_are_answered_alike() {
    let world = World::start().await;
    let mut owner = world.v1("a@example.com").await;
    let ack = asked(&mut owner).await;
    let mut client = world.v1("b@example.com").await;
    let mut answers = Vec::new();
    for id in [ack["conversationId"].clone(), json!(uuid::Uuid::now_v7()), ack["generationId"].clone()] {
        client.send(json!({"type": "subscribe", "conversationId": id})).await;
        let error = client.next().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("not_found")));
        answers.push(error["message"].clone());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn after_an_unsubscribe_nothing_more_of_the_conversation_comes() {
    let world = World::start().await;
    let (mut client, ack, mut owner) = half_way(&world).await;
    client.send(json!({"type": "unsubscribe", "conversationId": ack["conversationId"]})).await;
    client.is_alive().await;
    owner.say(" three").await;
    client.hears_nothing().await;
    let rest = subscribe(&mut client, &ack, Some((1, 3))).await;
    assert_eq!(text(&rest), " three");
    world.end().await;
}

#[tokio::test]
async fn events_after_the_version_a_client_has_are_told_and_no_others() {
    let world = World::start().await;
    let (mut client, ack, owner) = half_way(&world).await;
    owner.complete().await;
    client.until("reply:recorded").await;
    for (version, told) in [
        (
            json!(0),
            vec![
                "conversation:created",
                "message:posted",
                "reply:requested",
                "conversation:title_updated",
                "reply:recorded",
            ],
        ),
        (ack["version"].clone(), vec!["reply:recorded"]),
        (json!(5), vec![]),
    ] {
        client
            .send(json!({"type": "subscribe", "conversationId": ack["conversationId"], "version": version}))
            .await;
        let mut frames = client.until("caught_up").await;
        assert_eq!(frames.pop().unwrap()["version"], 5);
        assert_eq!(kinds(&frames), told, "after {version}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_client_may_come_through_a_pipe_within_the_process() {
    let world = World::start().await;
    let mut client = world.piped("a@example.com").await;
    assert_eq!(client.next().await["type"], "connection_established");
    let ack = asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.say("hi").await;
    client.until_chunk("hi").await;
    assert_eq!(text(&subscribe(&mut client, &ack, None).await), "hi");
    owner.complete().await;
    client.until("reply:recorded").await;
    world.end().await;
}
