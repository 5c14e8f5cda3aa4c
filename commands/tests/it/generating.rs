//! Owning, recording and finishing generations.

use std::time::Duration;

use slipstream_commands::{
    CommandError, Opened, Place, abandoned_generations, finish_generation, open_generation, post_message,
    record_chunks, take_over_generation,
};
use slipstream_domain::{Epoch, OnBusy, Part, Run, Seq, TerminalStatus};

use crate::world::{World, chunks, ending, says, worker};

#[tokio::test]
async fn of_many_workers_one_opens_a_generation() {
    let world = World::new().await;
    let other = world.another();
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.generation_id;
    let opened = tokio::join!(
        open_generation(&world.app, id, worker(1)),
        open_generation(&other.app, id, worker(2)),
        open_generation(&world.app, id, worker(3)),
    );
    let opened = [opened.0.unwrap(), opened.1.unwrap(), opened.2.unwrap()];
    assert_eq!(opened.iter().filter(|opened| matches!(opened, Opened::Mine(_))).count(), 1, "{opened:?}");
    assert_eq!(opened.iter().filter(|opened| matches!(opened, Opened::Taken(_))).count(), 2, "{opened:?}");
}

#[tokio::test]
async fn a_reply_is_recorded_with_the_end_of_its_generation_in_one_append() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let posted = world.chat(ann).await;
    let mut own = world.open(posted.generation_id).await;
    world.produce(&mut own, "hel", 0).await;
    world.produce(&mut own, "lo", 3).await;
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Completed, Seq(2))).await.unwrap();
    let last: Vec<_> = world.everything().await.into_iter().rev().take(2).collect();
    assert_eq!((&*last[1].event_type, &*last[0].event_type), ("GenerationCompleted", "ReplyRecorded"));
    assert_eq!(last[0].command_id, last[1].command_id);
}

#[tokio::test]
async fn a_fenced_owner_records_and_finishes_nothing() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.generation_id;
    let mut stale = world.open(id).await;
    world.produce(&mut stale, "a", 0).await;
    let own = take_over_generation(&world.app, id, Epoch(1), worker(2)).await.unwrap();
    assert_eq!((own.epoch(), own.last_seq()), (Epoch(2), Seq(1)));
    let before = world.events(id.as_uuid()).await;
    let late = Run::delta(Seq(2), Part::Text, 1, "b".into());
    let recorded = record_chunks(&world.app, &mut stale, chunks(vec![late])).await;
    assert!(matches!(recorded, Err(CommandError::Fenced { current: Epoch(2) })), "{recorded:?}");
    let finished = finish_generation(&world.app, &mut stale, ending(TerminalStatus::Completed, Seq(1))).await;
    assert!(matches!(finished, Err(CommandError::Fenced { current: Epoch(2) })), "{finished:?}");
    let again = take_over_generation(&world.app, id, Epoch(1), worker(3)).await;
    assert!(matches!(again, Err(CommandError::Fenced { current: Epoch(2) })), "{again:?}");
    assert_eq!(world.events(id.as_uuid()).await, before);
}

#[tokio::test]
async fn a_generation_ends_once() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.generation_id;
    let mut own = world.open(id).await;
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Completed, Seq(0))).await.unwrap();
    let again = finish_generation(&world.app, &mut own, ending(TerminalStatus::Failed, Seq(0))).await;
    let over = |result: &_| matches!(result, Err(CommandError::Ended { status: TerminalStatus::Completed }));
    assert!(over(&again), "{again:?}");
    let opened = open_generation(&world.app, id, worker(2)).await.unwrap();
    assert!(matches!(opened, Opened::Over(TerminalStatus::Completed)), "{opened:?}");
}

#[tokio::test]
async fn the_end_of_a_reply_sends_what_waited_in_the_same_append() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.chat(ann).await;
    let mut own = world.open(first.generation_id).await;
    let request = says(ann, Place::In(first.conversation_id), "and then?", OnBusy::Queue);
    let waiting = post_message(&world.app, request).await.unwrap();
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Completed, Seq(0))).await.unwrap();
    let end = world.everything().await;
    let last = end.last().unwrap().command_id;
    let names: Vec<_> = end
        .iter()
        .filter(|event| event.command_id == last)
        .map(|event| event.event_type.to_string())
        .collect();
    assert_eq!(
        names,
        [
            "GenerationCompleted",
            "ReplyRecorded",
            "UserMessagePosted",
            "ReplyRequested",
            "GenerationRequested"
        ]
    );
    assert_eq!(world.open(waiting.generation_id).await.request().asked.message_id, waiting.reply_message_id);
}

#[tokio::test]
async fn only_a_started_generation_that_fell_silent_is_abandoned() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let started = world.chat(ann).await.generation_id;
    let mut own = world.open(started).await;
    world.produce(&mut own, "a", 0).await;
    let waiting = world.chat(ann).await.generation_id;
    let silent = |silence| abandoned_generations(&world.app, silence);
    assert!(silent(Duration::from_mins(10)).await.unwrap().is_empty());
    let found = silent(Duration::ZERO).await.unwrap();
    assert_eq!(found.iter().map(|abandoned| abandoned.generation).collect::<Vec<_>>(), [started]);
    assert_ne!(started, waiting);
}
