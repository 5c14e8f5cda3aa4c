//! Pictures: asked for like messages, told by frames of their own.

use serde_json::{Value, json};
use slipstream_domain::{AttachmentId, ErrorClass, GenerationKind, PictureSize, TerminalStatus};
use uuid::Uuid;

use crate::client::Client;
use crate::world::World;

async fn ask(client: &mut Client, conversation: &str, more: Value) {
    let mut frame = json!({
        "type": "image_gen_request", "conversationId": conversation, "prompt": "a cat", "model": "gpt-image-1",
    });
    frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.send(frame).await;
}

fn cat() -> AttachmentId {
    AttachmentId::from_uuid(Uuid::from_u128(7))
}

#[tokio::test]
async fn a_compat_client_is_told_how_far_its_picture_is_and_where_it_is_found() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    ask(&mut client, "new-chat", json!({"width": 1024, "height": 768})).await;
    let queued = client.next().await;
    assert_eq!((&queued["type"], &queued["stage"]), (&json!("image_gen_progress"), &json!("queued")));
    let mut owner = world.worker().await;
    let asked = owner.asked();
    assert_eq!((asked.kind, asked.model.as_str()), (GenerationKind::Image, "gpt-image-1"));
    assert_eq!(asked.params.picture_size, PictureSize::parse(1024, 768).ok());
    assert_eq!(queued["taskId"], json!(owner.id()));
    let message = asked.message_id;
    owner.beat().await;
    let generating = client.next().await;
    assert_eq!((&generating["stage"], &generating["progress"]), (&json!("generating"), &json!(50)));
    owner.paint(cat());
    owner.complete().await;
    let made = client.next().await;
    let expected = json!({
        "type": "image_gen_response", "conversationId": queued["conversationId"], "userId": queued["userId"],
        "taskId": queued["taskId"], "messageId": message, "attachmentId": cat(),
    });
    assert_eq!(made, expected);
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_made_is_told_why() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    ask(&mut client, "new-chat", json!({})).await;
    let queued = client.next().await;
    let said = (ErrorClass::InvalidRequest, "Images cannot be kept.");
    world.worker().await.end(TerminalStatus::Failed, Some(said)).await;
    let error = client.next_of("image_gen_error").await;
    assert_eq!((&error["taskId"], &error["code"]), (&queued["taskId"], &json!("failed")));
    assert!(error["error"].as_str().unwrap().ends_with("Images cannot be kept."), "{error}");

    ask(&mut client, "new-chat", json!({})).await;
    client.next_of("image_gen_progress").await;
    world.worker().await.complete().await;
    assert_eq!(client.next_of("image_gen_error").await["error"], "The model answered without a picture.");
    world.end().await;
}

#[tokio::test]
async fn a_wrong_request_for_a_picture_is_refused_with_what_would_be_right() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for (more, code, wanted) in [
        (json!({"model": "gpt-5-nano"}), "bad_frame", "model must be gpt-image-1"),
        (json!({"model": null}), "bad_frame", "model is missing"),
        (json!({"prompt": " "}), "bad_frame", "prompt must not be empty"),
        (json!({"width": 10}), "bad_frame", "height is missing beside width"),
        (json!({"conversationId": "home"}), "bad_frame", "conversationId must be `new-chat`"),
        (json!({"conversationId": Uuid::from_u128(404)}), "not_found", "no such conversation"),
    ] {
        ask(&mut client, "new-chat", more.clone()).await;
        let error = client.next().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("image_gen_error"), &json!(code)), "{more}");
        assert!(error["error"].as_str().unwrap().starts_with(wanted), "{more}: {error}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_v1_client_is_acknowledged_follows_the_conversation_and_is_told_of_the_picture() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    ask(&mut client, "new-chat", json!({"clientMessageId": "mine"})).await;
    let ack = client.next_of("ack").await;
    assert_eq!(ack["clientMessageId"], "mine");
    let mut owner = world.worker().await;
    owner.paint(cat());
    owner.complete().await;
    let made = client.next_of("image_gen_response").await;
    assert_eq!((&made["taskId"], &made["attachmentId"]), (&ack["generationId"], &json!(cat())));
    let busy = json!({"conversationId": ack["conversationId"]});
    ask(&mut client, "new-chat", busy.clone()).await;
    client.next_of("ack").await;
    ask(&mut client, "new-chat", busy).await;
    assert_eq!(client.next_of("image_gen_error").await["code"], "busy");
    world.end().await;
}
