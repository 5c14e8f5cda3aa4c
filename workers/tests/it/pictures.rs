//! Pictures inside an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use slipstream_commands::{Place, cancel_generation, request_picture};
use slipstream_domain::{AttachmentId, ModelId, Part, PictureSize, Seq, TerminalStatus};
use slipstream_providers::Delta;
use slipstream_testkit::Line;
use uuid::Uuid;

use crate::world::{Gallery, World, say, stop};

fn picture() -> Line {
    Line::Say(Delta::Image { mime: "image/png".into(), bytes: b"png".as_slice().into() })
}

async fn world(script: Vec<Line>) -> (World, Arc<Gallery>) {
    let gallery = Arc::new(Gallery::default());
    let mut world = World::new([script]).await;
    world.pictures = Some(gallery.clone());
    (world, gallery)
}

#[tokio::test]
async fn a_picture_is_kept_for_its_owner_and_has_its_place_among_the_words() {
    let (world, gallery) = world(vec![say("Look: "), picture(), say("a disc."), stop()]).await;
    world.worker();
    gallery.open.notify_one();
    let posted = world.hello().await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str()), (TerminalStatus::Completed, "Look: a disc."));
    let told = world.told(posted.generation_id).await;
    let parts: Vec<_> = told.outputs.iter().map(|output| (output.run.part, output.run.from)).collect();
    assert_eq!(parts, [(Part::Text, Seq(1)), (Part::Image, Seq(2)), (Part::Text, Seq(3))]);
    let id = AttachmentId::from_uuid(Uuid::from_u128(1));
    assert_eq!(told.outputs[1].run.attachment, Some(id));
    let kept = gallery.kept.lock().unwrap().pop().unwrap();
    assert_eq!((kept.owner, kept.conversation), (world.user, posted.conversation_id));
    assert_eq!((kept.mime.as_str(), &kept.bytes[..]), ("image/png", b"png".as_slice()));
    world.close().await;
}

#[tokio::test]
async fn a_picture_alone_is_an_answer() {
    let (world, gallery) = world(vec![picture(), stop()]).await;
    world.worker();
    gallery.open.notify_one();
    let posted = world.hello().await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.terminal.final_seq), (TerminalStatus::Completed, Seq(1)));
    world.close().await;
}

#[tokio::test]
async fn a_picture_that_was_asked_for_is_made_by_a_model_that_makes_some() {
    let (world, gallery) = world(vec![picture(), stop()]).await;
    world.worker();
    gallery.open.notify_one();
    let new = Place::New(world.app.new_conversation_id());
    let mut request = world.request(new, "openai", "a red disc");
    request.model = ModelId::parse("gpt-image-1").unwrap();
    request.params.picture_size = PictureSize::parse(1024, 768).ok();
    let posted = request_picture(&world.app, request.clone()).await.unwrap();
    world.publish(&posted).await;
    assert_eq!(world.ended(posted.generation_id).await.status, TerminalStatus::Completed);
    let asked = world.provider.requests().pop().unwrap();
    assert_eq!(
        (asked.model.id.as_str(), asked.params.picture_size),
        ("gpt-image-1", PictureSize::parse(1024, 768).ok())
    );

    request.conversation = Place::New(world.app.new_conversation_id());
    request.generation_id = world.app.new_generation_id();
    request.model = ModelId::parse("gpt-5-nano").unwrap();
    let posted = request_picture(&world.app, request).await.unwrap();
    world.publish(&posted).await;
    assert_eq!(world.ended(posted.generation_id).await.class(), "invalid_request");
    world.close().await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_kept_fails_its_reply() {
    let (world, gallery) = world(vec![say("Look: "), picture(), stop()]).await;
    gallery.is_full.store(true, Ordering::SeqCst);
    world.worker();
    gallery.open.notify_one();
    let posted = world.hello().await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(
        (ended.status, ended.class(), ended.text.as_str()),
        (TerminalStatus::Failed, "internal", "Look: ")
    );
    world.close().await;
}

#[tokio::test]
async fn a_reply_can_be_stopped_while_its_picture_is_being_kept() {
    let (world, gallery) = world(vec![say("Look: "), picture(), stop()]).await;
    world.worker();
    let posted = world.hello().await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str()), (TerminalStatus::Cancelled, "Look: "));
    assert!(gallery.kept.lock().unwrap().is_empty());
    world.close().await;
}
