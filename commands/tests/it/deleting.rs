//! Deleting conversations.

use slipstream_commands::{CommandError, Place, delete_conversation, finish_generation, post_message};
use slipstream_domain::{OnBusy, Seq, TerminalStatus};

use crate::world::{World, ending, says};

#[tokio::test]
async fn a_reply_no_worker_has_taken_ends_with_the_conversation() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let posted = world.chat(ann).await;
    post_message(&world.app, says(ann, Place::In(posted.conversation_id), "later", OnBusy::Queue))
        .await
        .unwrap();
    delete_conversation(&world.app, ann, posted.conversation_id).await.unwrap();
    let events = world.events(posted.conversation_id.as_uuid()).await;
    assert_eq!(events[5..], ["QueuedMessageWithdrawn", "ConversationDeleted", "ReplyRecorded"]);
    assert_eq!(
        world.events(posted.generation_id.as_uuid()).await,
        ["GenerationRequested", "GenerationCancelled"]
    );
}

#[tokio::test]
async fn a_running_reply_is_asked_to_stop_and_its_end_is_recorded() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let posted = world.chat(ann).await;
    let mut own = world.open(posted.generation_id).await;
    delete_conversation(&world.app, ann, posted.conversation_id).await.unwrap();
    own.refresh(&world.app).await.unwrap();
    assert!(own.cancel_requested());
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Cancelled, Seq(0))).await.unwrap();
    let events = world.events(posted.conversation_id.as_uuid()).await;
    assert_eq!(events[4..], ["ConversationDeleted", "ReplyRecorded"]);
}

#[tokio::test]
async fn a_deleted_conversation_takes_no_message_and_deleting_it_again_writes_nothing() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.conversation_id;
    delete_conversation(&world.app, ann, id).await.unwrap();
    let before = world.events(id.as_uuid()).await;
    delete_conversation(&world.app, ann, id).await.unwrap();
    let posted = post_message(&world.app, says(ann, Place::In(id), "hi", OnBusy::Queue)).await;
    assert!(matches!(posted, Err(CommandError::NotFound("conversation"))), "{posted:?}");
    assert_eq!(world.events(id.as_uuid()).await, before);
}
