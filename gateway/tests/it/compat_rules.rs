//! The rules that the existing web client forces (`03-wire-protocol`, "Compat rules"), by their numbers; 11 is in
//! `taking_over`.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_domain::{ErrorClass, Part, TerminalStatus};

use crate::client::{Client, text};
use crate::http::get;
use crate::owner::Reach;
use crate::world::{Twist, World};

/// Asks in a new chat and reads the frame that opens it.
async fn asked(client: &mut Client) -> String {
    client.ask("new-chat", "hello there").await;
    let opening = client.next().await;
    assert_eq!(opening["chunk"], "", "{opening}");
    opening["conversationId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn rule_1_a_reply_goes_to_the_socket_that_asked_and_to_no_other_of_its_user() {
    let world = World::start().await;
    let (mut one, mut other) = (world.client("a@example.com").await, world.client("a@example.com").await);
    asked(&mut one).await;
    let mut owner = world.worker().await;
    owner.say("hi").await;
    owner.complete().await;
    assert_eq!(text(&one.until_end().await), "hi");
    other.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn rule_2_every_end_has_a_terminal_frame() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for (status, fault, kind) in [
        (TerminalStatus::Completed, None, "ai_chat_response"),
        (TerminalStatus::Cancelled, None, "ai_chat_response"),
        (TerminalStatus::Interrupted, None, "ai_chat_response"),
        (TerminalStatus::Failed, Some((ErrorClass::Timeout, "slow")), "ai_chat_error"),
    ] {
        asked(&mut client).await;
        let mut owner = world.worker().await;
        owner.say("hi").await;
        owner.end(status, fault).await;
        let frames = client.until_end().await;
        assert_eq!(frames.last().unwrap()["type"], kind, "{status:?}");
        assert_eq!(frames.last().unwrap()["usage"], 7);
    }
    world.end().await;
}

#[tokio::test]
async fn rule_2_a_reply_that_no_worker_ever_takes_ends_when_it_is_cancelled() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let conversation = asked(&mut client).await;
    world.requested().await;
    client.send(json!({"type": "ai_chat_cancel", "conversationId": conversation})).await;
    let frames = client.until_end().await;
    assert_eq!(
        (&frames[1]["type"], &frames[1]["stopReason"]),
        (&json!("ai_chat_error"), &json!("cancelled"))
    );
    assert_eq!(frames[0]["chunk"], frames[1]["message"]);
    world.end().await;
}

#[tokio::test]
async fn rule_2_a_terminal_frame_comes_though_the_transcript_stands_still() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    world.stop_projecting();
    owner.say("hi").await;
    owner.complete().await;
    assert_eq!(client.until_end().await.last().unwrap()["chunk"], "hi");
    world.end().await;
}

#[tokio::test]
async fn rule_3_output_that_the_bus_lost_comes_from_the_stream_state_when_more_output_tells_of_it() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.say("a").await;
    client.until_chunk("a").await;
    owner.put(Part::Text, "b", Reach::HOT).await;
    owner.put(Part::Text, "c", Reach::HOT).await;
    owner.say("d").await;
    client.until_chunk("bcd").await;
    owner.complete().await;
    assert_eq!(text(&client.until_end().await), "");
    world.end().await;
}

#[tokio::test]
async fn rule_3_output_that_the_bus_and_the_stream_state_lost_comes_from_the_log_when_a_beat_tells_of_it() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.put(Part::Text, "a", Reach::LOG_ALONE).await;
    owner.put(Part::Text, "b", Reach::LOG_ALONE).await;
    owner.record().await;
    owner.beat().await;
    client.until_chunk("ab").await;
    owner.complete().await;
    client.until_end().await;
    world.end().await;
}

#[tokio::test]
async fn rule_3_everything_up_to_the_last_delta_comes_before_the_end_though_nothing_was_heard_live() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    for word in ["all ", "of ", "it"] {
        owner.put(Part::Text, word, Reach::LOG_ALONE).await;
    }
    owner.complete().await;
    let frames = client.until_end().await;
    assert_eq!(text(&frames), "all of it");
    assert_eq!(frames.last().unwrap()["chunk"], "all of it");
    world.end().await;
}

#[tokio::test]
async fn rule_3_a_worker_that_replaces_one_that_said_nothing_is_heard_and_the_old_one_is_not() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let old = world.worker().await;
    let stale = old.id();
    let mut new = old.replaced(&world).await;
    assert_eq!((new.id(), new.epoch().0), (stale, 2));
    new.say("new").await;
    client.until_chunk("new").await;
    new.complete().await;
    assert_eq!(client.until_end().await.last().unwrap()["chunk"], "new");
    world.end().await;
}

#[tokio::test]
async fn rule_4_thinking_and_text_never_share_a_frame_and_durations_are_milliseconds() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.think("hm", 100).await;
    owner.think(" hm", 250).await;
    owner.say("so").await;
    owner.say(" be it").await;
    owner.complete().await;
    let frames = client.until_end().await;
    let (end, chunks) = frames.split_last().unwrap();
    for chunk in chunks {
        let thinks = chunk["isThinking"] == true;
        assert_eq!(
            (chunk["chunk"].is_null(), chunk["thinkingText"].is_string()),
            (thinks, thinks),
            "{chunk}"
        );
    }
    let last_text = chunks.iter().rfind(|chunk| chunk["isThinking"] == false).unwrap();
    assert_eq!(last_text["thinkingDuration"], 250);
    assert_eq!((&end["thinkingText"], &end["thinkingDuration"]), (&json!("hm hm"), &json!(250)));
    assert_eq!(text(&frames), "so be it");
    world.end().await;
}

#[tokio::test]
async fn rule_5_the_message_can_be_read_when_its_end_is_told() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for turn in 0..5 {
        let conversation = asked(&mut client).await;
        let mut owner = world.worker().await;
        owner.say("committed").await;
        owner.complete().await;
        client.next_of("ai_chat_response").await;
        let path = format!("/v1/conversations/{conversation}/messages?email=a@example.com");
        let body = get(world.address, &path).await.json();
        let reply = &body["items"][1];
        assert_eq!(
            (&reply["text"], &reply["status"]),
            (&json!("committed"), &json!("completed")),
            "turn {turn}: {body}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn rule_6_a_new_chat_opens_with_its_real_id_and_a_title_and_no_later_frame_has_one() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client
        .send(json!({
            "type": "ai_chat_request", "conversationId": "new-chat", "prompt": "what is a monad", "provider": "openai",
            "temperature": 0.5, "systemPrompt": "be brief",
        }))
        .await;
    let opening = client.next().await;
    assert_eq!(
        (&opening["title"], &opening["chunk"], &opening["done"]),
        (&json!("what is a monad"), &json!(""), &json!(false))
    );
    assert_eq!((&opening["model"], &opening["temperature"]), (&json!("gpt-5-nano"), &json!(0.5)));
    assert_eq!(opening["systemPrompt"], "be brief");
    let conversation = opening["conversationId"].as_str().unwrap().to_owned();
    assert_ne!(conversation, "new-chat");
    let mut owner = world.worker().await;
    owner.say("a monoid").await;
    owner.complete().await;
    let frames = client.until_end().await;
    assert!(
        frames
            .iter()
            .all(|frame| frame["title"].is_null() && frame["conversationId"] == conversation.as_str())
    );

    client.ask(&conversation, "and a functor?").await;
    let mut owner = world.worker().await;
    owner.say("a map").await;
    owner.complete().await;
    let frames = client.until_end().await;
    assert!(frames.iter().all(|frame| frame["title"].is_null()), "{frames:?}");
    assert_eq!(text(&frames), "a map");
    world.end().await;
}

#[tokio::test]
async fn rule_7_a_provider_that_returns_nothing_is_an_error() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.think("hm", 10).await;
    owner.complete().await;
    let frames = client.until_end().await;
    assert_eq!(frames.last().unwrap()["type"], "ai_chat_error");
    assert!(!text(&frames).is_empty());
    world.end().await;
}

#[tokio::test]
async fn rule_8_before_an_error_comes_a_text_that_can_be_read_and_it_is_not_part_of_the_reply() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let conversation = asked(&mut client).await;
    let mut owner = world.worker().await;
    owner.say("half a").await;
    owner.end(TerminalStatus::Failed, Some((ErrorClass::Overloaded, "come back later"))).await;
    let frames = client.until_end().await;
    let [.., shown, error] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(error["message"], "The provider is overloaded; try again later. come back later");
    assert_eq!(shown["chunk"], format!("\n\n{}", error["message"].as_str().unwrap()));
    let path = format!("/v1/conversations/{conversation}/messages?email=a@example.com");
    assert_eq!(get(world.address, &path).await.json()["items"][1]["text"], "half a");
    world.end().await;
}

#[tokio::test]
async fn rule_9_frames_sent_while_authentication_runs_are_answered() {
    let twist = Twist { slow_authentication: Duration::from_millis(400), ..Twist::default() };
    let world = World::with(twist).await;
    let mut client = world.client("a@example.com").await;
    for _ in 0..15 {
        client.send(json!({"type": "ping"})).await;
    }
    client.ask("new-chat", "hello").await;
    for _ in 0..15 {
        assert_eq!(client.next().await["type"], "pong");
    }
    world.worker().await.complete().await;
    client.until_end().await;
    world.end().await;
}

#[tokio::test]
async fn rule_10_file_frames_are_answered_by_their_error_twins_with_what_the_client_gave() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let twins: [(&str, &[&str]); 8] = [
        ("asset_attached", &["asset_upload_error", "asset_upload_complete_error"]),
        ("asset_paste", &["asset_upload_error", "asset_upload_complete_error"]),
        ("asset_upload_request", &["asset_upload_error", "asset_upload_complete_error"]),
        ("asset_upload_progress", &["asset_upload_error"]),
        ("asset_upload_complete", &["asset_upload_complete_error"]),
        ("asset_upload_complete_error", &["asset_upload_complete_error"]),
        ("asset_fetch_request", &["asset_fetch_error"]),
        ("asset_deleted", &["asset_upload_error"]),
    ];
    for (kind, twins) in twins {
        client
            .send(json!({"type": kind, "conversationId": "new-chat", "draftId": "d", "batchId": "b"}))
            .await;
        for twin in twins {
            let error = client.next().await;
            assert_eq!(error["type"], *twin);
            assert_eq!((&error["draftId"], &error["batchId"]), (&json!("d"), &json!("b")));
            assert_eq!((&error["success"], &error["code"]), (&json!(false), &json!("bad_frame")));
            assert!(!error["error"].as_str().unwrap().is_empty());
        }
    }
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn rule_12_a_request_whose_batch_has_no_uploads_goes_on() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client
        .send(json!({
            "type": "ai_chat_request", "conversationId": "new-chat", "prompt": "look", "provider": "openai", "batchId": "b1",
        }))
        .await;
    let mut owner = world.worker().await;
    owner.say("I see").await;
    owner.complete().await;
    assert_eq!(text(&client.until_end().await), "I see");
    world.end().await;
}

#[tokio::test]
async fn rule_13_a_stray_word_or_a_foreign_conversation_is_an_error_that_carries_it() {
    let world = World::start().await;
    let mut owner_of_it = world.client("b@example.com").await;
    let foreign = asked(&mut owner_of_it).await;
    let mut client = world.client("a@example.com").await;
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    let mut answers = Vec::new();
    for given in ["home", &foreign, unknown] {
        client.ask(given, "hello").await;
        let frames = client.until_end().await;
        let [shown, error] = frames.as_slice() else { panic!("{frames:?}") };
        assert_eq!((&error["type"], &error["conversationId"]), (&json!("ai_chat_error"), &json!(given)));
        assert!(error["message"].as_str().unwrap().contains("conversationId must be `new-chat`"), "{error}");
        assert_eq!(shown["chunk"], error["message"]);
        answers.push(error["message"].clone());
    }
    assert_eq!(answers[1], answers[2], "a foreign conversation is answered exactly like an unknown one");
    owner_of_it.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn rule_14_deltas_may_be_merged_and_none_is_lost() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    asked(&mut client).await;
    let mut owner = world.worker().await;
    let mut all = String::new();
    for n in 0..2000 {
        let number = format!("{n} ");
        owner.say(&number).await;
        all += &number;
    }
    owner.complete().await;
    let frames = client.until_end().await;
    assert_eq!(text(&frames), all);
    assert_eq!(frames.last().unwrap()["chunk"], Value::from(all));
    world.end().await;
}

#[tokio::test]
async fn while_a_reply_is_made_another_request_in_its_conversation_is_refused_as_busy() {
    let world = World::start().await;
    let (mut one, mut two) = (world.client("a@example.com").await, world.client("a@example.com").await);
    let conversation = asked(&mut one).await;
    let mut owner = world.worker().await;
    two.ask(&conversation, "me too").await;
    let frames = two.until_end().await;
    assert_eq!((&frames[1]["type"], &frames[1]["stopReason"]), (&json!("ai_chat_error"), &json!("busy")));
    owner.say("done").await;
    owner.complete().await;
    assert_eq!(text(&one.until_end().await), "done");
    world.end().await;
}

#[tokio::test]
async fn a_reply_is_stopped_by_its_id_by_its_conversation_or_with_all_others() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for by in ["generation", "conversation", "all"] {
        let conversation = asked(&mut client).await;
        let mut owner = world.worker().await;
        owner.say("stop me").await;
        client.until_chunk("stop me").await;
        client
            .send(match by {
                "generation" => json!({"type": "ai_chat_cancel", "generationId": owner.id()}),
                "conversation" => json!({"type": "ai_chat_cancel", "conversationId": conversation}),
                _ => json!({"type": "ai_chat_cancel"}),
            })
            .await;
        client.is_alive().await;
        assert!(owner.is_cancelled().await, "by {by}");
        owner.end(TerminalStatus::Cancelled, None).await;
        assert_eq!(client.next_of("ai_chat_response").await["chunk"], "stop me");
    }
    world.end().await;
}

#[tokio::test]
async fn a_cancel_right_after_its_request_is_never_lost() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for turn in 0..20 {
        client.ask("new-chat", "never mind").await;
        client.send(json!({"type": "ai_chat_cancel"})).await;
        let frames = client.until_end().await;
        assert_eq!(frames.last().unwrap()["stopReason"], "cancelled", "turn {turn}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_are_posted_in_the_order_in_which_they_are_sent() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for turn in 0..10 {
        let prompts = ["first", "second", "third"];
        for prompt in prompts {
            client.ask("new-chat", prompt).await;
        }
        for prompt in prompts {
            let opening = client.next().await;
            assert_eq!(opening["title"], prompt, "turn {turn}");
        }
        client.send(json!({"type": "ai_chat_cancel"})).await;
        for _ in prompts {
            client.next_of("ai_chat_error").await;
        }
    }
    world.end().await;
}

#[tokio::test]
async fn nobody_stops_a_strangers_reply() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    let theirs = bystander.generation();
    client.send(json!({"type": "ai_chat_cancel", "generationId": theirs})).await;
    assert_eq!(client.next_of("error").await["code"], "not_found");
    client.send(json!({"type": "ai_chat_cancel"})).await;
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn typing_is_told_to_the_users_other_sockets_and_to_nobody_else() {
    let world = World::start().await;
    let (mut one, mut two) = (world.client("a@example.com").await, world.client("a@example.com").await);
    let mut stranger = world.client("b@example.com").await;
    // Each has been let in once it answers.
    for client in [&mut one, &mut two, &mut stranger] {
        client.is_alive().await;
    }
    let conversation = "0190163d-8694-739b-aea5-966c26f8ad91";
    one.send(json!({"type": "typing", "conversationId": conversation})).await;
    assert_eq!(two.next().await["conversationId"], conversation);
    one.hears_nothing().await;
    stranger.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_ping_is_answered_with_the_users_id() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client.send(json!({"type": "ping"})).await;
    let pong = client.next().await;
    assert_eq!(pong["type"], "pong");
    assert!(pong["userId"].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    world.end().await;
}
