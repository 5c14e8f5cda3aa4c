//! Pictures inside an answer, among its words.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use slipstream_commands::ports::{NewPicture, Pictures};
use slipstream_domain::AttachmentId;
use slipstream_testkit::V1Client;

use crate::client::Client;
use crate::owner::{Owner, Reach};
use crate::world::World;

const DISC: &[u8] = include_bytes!("../../../providers/src/simulated/picture.png");

/// Keeps a picture as part of an owner's reply.
async fn kept(world: &World, owner: &Owner) -> AttachmentId {
    let picture = NewPicture {
        owner: owner.asker(),
        conversation: owner.asked().conversation_id,
        message: owner.asked().message_id,
        mime: "image/png".to_owned(),
        bytes: DISC.into(),
    };
    world.files.keep(picture).await.unwrap()
}

/// What of an answer a person sees, in order.
fn seen(frames: &[Value]) -> Vec<String> {
    let shown = frames.iter().filter_map(|frame| match frame["type"].as_str() {
        Some("ai_chat_chunk") => frame["chunk"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        Some("ai_chat_inline_data") => Some("[picture]".to_owned()),
        _ => None,
    });
    let mut joined: Vec<String> = Vec::new();
    for piece in shown {
        match joined.last_mut() {
            Some(last) if piece != "[picture]" && last != "[picture]" => last.push_str(&piece),
            Some(_) | None => joined.push(piece),
        }
    }
    joined
}

fn data_url() -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(DISC))
}

#[tokio::test]
async fn a_compat_client_is_given_the_picture_whole_where_it_stands_among_the_words() {
    for reach in [Reach::EVERYWHERE, Reach::LOG_ALONE] {
        let world = World::start().await;
        let mut client = world.client("a@example.com").await;
        client.ask("new-chat", "draw a disc").await;
        let mut owner = world.worker().await;
        let picture = kept(&world, &owner).await;
        owner.put(slipstream_domain::Part::Text, "Look: ", reach).await;
        owner.show(picture, reach).await;
        owner.put(slipstream_domain::Part::Text, "a disc.", reach).await;
        owner.complete().await;
        let frames = client.until_end().await;
        assert_eq!(seen(&frames), ["Look: ", "[picture]", "a disc."], "{frames:?}");
        let frame = frames.iter().find(|frame| frame["type"] == "ai_chat_inline_data").unwrap();
        assert_eq!((&frame["data"], &frame["done"]), (&json!(data_url()), &json!(false)));
        assert_eq!(
            (&frame["attachmentId"], &frame["url"], &frame["seq"]),
            (&json!(picture), &Value::Null, &Value::Null)
        );
        assert_eq!(frames.last().unwrap()["chunk"], "Look: a disc.");
        world.end().await;
    }
}

#[tokio::test]
async fn a_v1_client_is_told_where_the_picture_is_shown_live_and_when_it_comes_late() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    client.ask("new-chat", "draw a disc").await;
    let ack = client.next_of("ack").await;
    let mut owner = world.worker().await;
    let picture = kept(&world, &owner).await;
    owner.say("Look: ").await;
    owner.show(picture, Reach::EVERYWHERE).await;
    let frame = client.next_of("ai_chat_inline_data").await;
    assert_eq!((&frame["attachmentId"], &frame["data"]), (&json!(picture), &Value::Null));
    assert_eq!((&frame["seq"], &frame["count"], &frame["part"]), (&json!(2), &json!(1), &json!("image")));
    assert_eq!(frame["generationId"], json!(owner.id()));
    let shown = crate::assets::http(world.address, "GET", frame["url"].as_str().unwrap(), &[], b"").await;
    assert_eq!((shown.status, &shown.body[..]), (200, DISC));
    owner.say("a disc.").await;
    client.until_chunk("a disc.").await;

    let generation = owner.id().to_string();
    let mut late = late(&world, &ack, &generation).await;
    assert_eq!(late.reply(&generation).unwrap().pictures(), [(2, picture.to_string())]);
    owner.complete().await;
    assert_eq!(client.next_of("ai_chat_response").await["finalSeq"], 3);
    late = self::late(&world, &ack, &generation).await;
    let reply = late.reply(&generation).unwrap();
    assert_eq!((reply.text(), reply.pictures().len()), ("Look: a disc.", 1));
    world.end().await;
}

/// A client that subscribes from the beginning, once it has caught up.
async fn late(world: &World, ack: &Value, generation: &str) -> V1Client {
    let mut socket: Client = world.v1("a@example.com").await;
    let (mut client, conversation) = (V1Client::default(), ack["conversationId"].as_str().unwrap());
    socket.send(client.subscribe_also(conversation, &[generation.to_owned()])).await;
    loop {
        let frame = socket.next().await;
        let over = frame["type"] == "caught_up";
        assert_eq!(client.take(&frame).unwrap(), None);
        if over {
            return client;
        }
    }
}

#[tokio::test]
async fn a_picture_that_is_gone_stops_no_words() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client.ask("new-chat", "draw a disc").await;
    let mut owner = world.worker().await;
    let picture = kept(&world, &owner).await;
    world.files.delete(owner.asker(), picture).await.unwrap();
    owner.say("Look: ").await;
    owner.show(picture, Reach::EVERYWHERE).await;
    owner.say("nothing.").await;
    owner.complete().await;
    assert_eq!(seen(&client.until_end().await), ["Look: nothing."]);
    world.end().await;
}
