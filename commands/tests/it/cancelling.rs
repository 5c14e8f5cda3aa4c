//! Stopping replies.

use slipstream_commands::ports::{BusEvent, LiveMessage, Subject};
use slipstream_commands::{
    Cancelled, CommandError, Place, cancel_conversation, cancel_generation, finish_generation, post_message,
};
use slipstream_domain::{OnBusy, Seq, TerminalStatus};

use crate::world::{World, ending, nowhere, says};

#[tokio::test]
async fn one_that_waits_ends_at_once_and_the_next_message_may_come() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let posted = world.chat(ann).await;
    let cancelled = cancel_generation(&world.app, ann, posted.generation_id).await.unwrap();
    assert_eq!(cancelled, Cancelled::Over(TerminalStatus::Cancelled));
    assert_eq!(
        world.events(posted.generation_id.as_uuid()).await,
        ["GenerationRequested", "GenerationCancelled"]
    );
    assert_eq!(world.say(ann, Place::In(posted.conversation_id), "again").await.queued, None);
}

#[tokio::test]
async fn one_that_runs_is_asked_once_and_its_owner_is_told_every_time() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.generation_id;
    let mut own = world.open(id).await;
    let mut told = world.app.bus().subscribe(Subject::Owner(id)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(cancel_generation(&world.app, ann, id).await.unwrap(), Cancelled::Asked);
        let Some(BusEvent::Message(message)) = told.next().await else { panic!("not told") };
        assert_eq!(*message, LiveMessage::Cancel { generation: id });
    }
    assert!(!own.cancel_requested());
    world.produce(&mut own, "a", 0).await;
    assert!(own.cancel_requested(), "the owner finds the wish when it records");
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Cancelled, Seq(1))).await.unwrap();
    assert_eq!(
        world.events(id.as_uuid()).await,
        [
            "GenerationRequested",
            "GenerationStarted",
            "CancelRequested",
            "ChunksRecorded",
            "GenerationCancelled"
        ]
    );
    let over = cancel_generation(&world.app, ann, id).await.unwrap();
    assert_eq!(over, Cancelled::Over(TerminalStatus::Cancelled));
}

#[tokio::test]
async fn a_wish_does_not_keep_an_owner_from_finishing() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.generation_id;
    let mut own = world.open(id).await;
    cancel_generation(&world.app, ann, id).await.unwrap();
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Completed, Seq(0))).await.unwrap();
}

#[tokio::test]
async fn what_is_foreign_or_not_there_is_not_found() {
    let world = World::new().await;
    let (ann, bob) = (world.user("ann@example.com").await, world.user("bob@example.com").await);
    let posted = world.chat(ann).await;
    let foreign = cancel_generation(&world.app, bob, posted.generation_id).await;
    assert!(matches!(foreign, Err(CommandError::NotFound("generation"))), "{foreign:?}");
    for place in [posted.conversation_id, nowhere()] {
        let missing = cancel_conversation(&world.app, bob, place).await;
        assert!(matches!(missing, Err(CommandError::NotFound("conversation"))), "{missing:?}");
    }
}

#[tokio::test]
async fn cancelling_a_conversation_withdraws_what_waits_and_stops_what_runs() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.chat(ann).await;
    let place = Place::In(first.conversation_id);
    post_message(&world.app, says(ann, place, "later", OnBusy::Queue)).await.unwrap();
    let stopped = cancel_conversation(&world.app, ann, first.conversation_id).await.unwrap();
    assert_eq!(stopped, Some((first.generation_id, Cancelled::Over(TerminalStatus::Cancelled))));
    let events = world.events(first.conversation_id.as_uuid()).await;
    assert_eq!(events[4..], ["UserMessageQueued", "QueuedMessageWithdrawn", "ReplyRecorded"]);
    assert_eq!(cancel_conversation(&world.app, ann, first.conversation_id).await.unwrap(), None);
}

#[tokio::test]
async fn a_message_that_replaces_stops_what_runs_and_goes_next() {
    for opened in [false, true] {
        let world = World::new().await;
        let ann = world.user("ann@example.com").await;
        let first = world.chat(ann).await;
        let mut own = None;
        if opened {
            own = Some(world.open(first.generation_id).await);
        }
        let request = says(ann, Place::In(first.conversation_id), "rather this", OnBusy::Replace);
        let next = post_message(&world.app, request).await.unwrap();
        if let Some(own) = &mut own {
            finish_generation(&world.app, own, ending(TerminalStatus::Cancelled, Seq(0))).await.unwrap();
        }
        assert!(
            world.events(first.generation_id.as_uuid()).await.contains(&"GenerationCancelled".to_owned())
        );
        assert_eq!(world.open(next.generation_id).await.id(), next.generation_id, "opened: {opened}");
    }
}
