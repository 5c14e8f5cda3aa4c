//! What is left when a person's data can no longer be read.

use slipstream_domain::{Generation, Role};
use slipstream_projections::{Position, conversations, generation_log, transcript};

use crate::world::World;

#[tokio::test]
async fn what_was_erased_has_no_text_and_no_place_in_history_but_its_frame_stays() {
    let world = World::still().await;
    let user = world.user("a").await;
    let posted = world.exchange(user, world.new_chat(), "secret", &["also ", "secret"]).await.posted;
    world.sql("UPDATE es.event SET sealed = NULL WHERE sealed IS NOT NULL").await;
    let running = world.run();
    world.settled(posted.conversation_id).await;

    let id = posted.conversation_id;
    let summary = conversations::find(&world.models, user, id).await.unwrap().unwrap().summary;
    assert_eq!((summary.title, summary.version), (None, 5));
    let messages = transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
    let frames: Vec<_> = messages.iter().map(|said| (said.role, said.status.as_str(), &said.text)).collect();
    assert_eq!(frames, [(Role::User, "posted", &None), (Role::Assistant, "completed", &None)]);
    assert_eq!(transcript::history(&world.models, id, posted.reply_message_id).await.unwrap(), []);
    let told = generation_log(&world.log, posted.generation_id).await.unwrap();
    assert_eq!(told.outputs, []);
    assert!(matches!(told.state, Generation::Ended { .. }) && told.terminal.is_some());
    world.end(running).await;
}

#[tokio::test]
async fn a_generation_nobody_asked_for_is_unknown() {
    let world = World::still().await;
    let nobody = slipstream_domain::GenerationId::from_uuid(uuid::Uuid::nil());
    let told = generation_log(&world.log, nobody).await.unwrap();
    assert_eq!((told.state, told.last_position), (Generation::Unknown, Position::START));
    world.close().await;
}
