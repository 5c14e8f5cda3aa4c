//! An owner is gone, or is thought to be.

use std::time::Duration;

use slipstream_commands::ports::{LiveBus, Subject};
use slipstream_commands::{Dispatcher, cancel_generation, take_over_generation};
use slipstream_domain::{Epoch, Generation, Part, Seq, TerminalStatus, UsageSource, WorkerId};
use slipstream_testkit::Line;
use slipstream_workers::Settings;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::queue::{HandedOut, Outcome};
use crate::world::{SOON, World, say, stop, text};

/// Longer than an owner may be silent without being asked.
const SILENT: Duration = Duration::from_secs(16);

#[tokio::test]
async fn a_lost_owners_reply_is_interrupted_with_all_that_was_shown() {
    let world = World::new([]).await;
    let posted = world.ask("openai", "hello").await;
    world.dead_owner(posted.generation_id, 2, 5).await;
    world.clock.put_forward(SILENT);
    world.worker();
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text), (TerminalStatus::Interrupted, "word ".repeat(5)));
    assert_eq!((ended.epoch, ended.terminal.final_seq, ended.terminal.attempts), (2, Seq(5), 1));
    let usage = ended.terminal.usage.unwrap();
    assert_eq!((usage.source, usage.input, usage.output), (UsageSource::Estimated, 2, 7));
    let Generation::Ended { made: Some(made), .. } = world.told(posted.generation_id).await.state else {
        panic!("it has ended");
    };
    assert_eq!(made.bases, [Seq(0), Seq(5)], "what was carried over is the base of the new epoch");
    world.close().await;
}

#[tokio::test]
async fn without_the_stream_state_the_reply_is_interrupted_with_what_the_log_has() {
    let world = World::new([]).await;
    let posted = world.ask("openai", "hello").await;
    world.dead_owner(posted.generation_id, 2, 0).await;
    world.clock.put_forward(SILENT);
    world.worker();
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text), (TerminalStatus::Interrupted, "word ".repeat(2)));
    world.close().await;
}

#[tokio::test]
async fn a_wish_to_stop_that_the_lost_owner_never_heard_is_granted() {
    let world = World::new([]).await;
    let posted = world.ask("openai", "hello").await;
    world.dead_owner(posted.generation_id, 2, 3).await;
    cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    world.clock.put_forward(SILENT);
    world.worker();
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text), (TerminalStatus::Cancelled, "word ".repeat(3)));
    world.close().await;
}

#[tokio::test]
async fn a_lost_owner_that_produced_nothing_is_replaced_by_one_that_asks_again() {
    let world = World::new([vec![say("at last"), stop()]]).await;
    let posted = world.ask("openai", "hello").await;
    world.dead_owner(posted.generation_id, 0, 0).await;
    world.clock.put_forward(SILENT);
    world.worker();
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str(), ended.epoch), (TerminalStatus::Completed, "at last", 2));
    world.close().await;
}

#[tokio::test]
async fn an_owner_that_recorded_lately_or_answers_or_cannot_be_asked_keeps_its_generation() {
    let world = World::new([]).await;
    let posted = world.ask("openai", "hello").await;
    world.dead_owner(posted.generation_id, 1, 1).await;
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), Settings::default());
    worker.start(&world.tasks, CancellationToken::new());
    queue.deliver(posted.generation_id, 1).await;
    assert_eq!(queue.outcome().await, Outcome::GivenBack(Duration::from_secs(10)), "it recorded lately");

    world.clock.put_forward(SILENT);
    world.bus.go_away(true);
    queue.deliver(posted.generation_id, 1).await;
    assert_eq!(queue.outcome().await, Outcome::GivenBack(Duration::from_secs(10)), "it cannot be asked");
    world.bus.go_away(false);

    let answering = world.bus.subscribe(Subject::Owner(posted.generation_id)).await.unwrap();
    queue.deliver(posted.generation_id, 1).await;
    assert_eq!(queue.outcome().await, Outcome::GivenBack(Duration::from_secs(10)), "it answers");
    drop(answering);

    queue.deliver(posted.generation_id, 1).await;
    assert_eq!(queue.outcome().await, Outcome::Acked);
    assert_eq!(world.ended(posted.generation_id).await.status, TerminalStatus::Interrupted);
}

#[tokio::test]
async fn a_fenced_owner_stops_and_writes_nothing_more() {
    let world = World::new([vec![say("old "), Line::Hold, say("ghost"), stop()]]).await;
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), Settings::default());
    worker.start(&world.tasks, CancellationToken::new());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    let other = WorkerId::from_uuid(Uuid::new_v4());
    take_over_generation(&world.app, posted.generation_id, Epoch::FIRST, other).await.unwrap();
    world.provider.go_on();
    assert_eq!(queue.outcome().await, Outcome::Dropped, "the job is the new owner's");
    assert_eq!(world.provider.closed(), 1);
    let told = world.told(posted.generation_id).await;
    assert_eq!((text(&told, Part::Text).as_str(), told.terminal.is_none()), ("old ", true));
}

#[tokio::test]
async fn a_silent_owner_that_is_fenced_notices_without_a_word_from_its_provider() {
    let world = World::new([vec![say("old "), Line::Hold, stop()]]).await;
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), Settings::default());
    worker.start(&world.tasks, CancellationToken::new());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    let other = WorkerId::from_uuid(Uuid::new_v4());
    take_over_generation(&world.app, posted.generation_id, Epoch::FIRST, other).await.unwrap();
    let noticed = tokio::time::timeout(Duration::from_secs(2), queue.outcome()).await;
    assert_eq!(noticed.expect("it looks at the log twice a second"), Outcome::Dropped);
    assert_eq!(world.provider.closed(), 1);
}

#[tokio::test]
async fn a_job_delivered_again_to_the_worker_that_has_it_changes_nothing() {
    let world = World::new([vec![say("once"), Line::Hold, stop()]]).await;
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), Settings::default());
    worker.start(&world.tasks, CancellationToken::new());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    queue.deliver(posted.generation_id, 0).await;
    assert_eq!(queue.outcome().await, Outcome::Dropped, "the first delivery is replaced by the second");
    world.provider.go_on();
    assert_eq!(queue.outcome().await, Outcome::Acked);
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.text.as_str(), ended.epoch, world.provider.requests().len()), ("once", 1, 1));
}

#[tokio::test]
async fn a_job_without_a_generation_is_done() {
    let world = World::new([]).await;
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), Settings::default());
    worker.start(&world.tasks, CancellationToken::new());
    queue.deliver(slipstream_domain::GenerationId::from_uuid(Uuid::new_v4()), 0).await;
    assert_eq!(queue.outcome().await, Outcome::Acked);
}

#[tokio::test]
async fn on_an_embedded_start_everything_that_was_under_way_is_settled_at_once() {
    let world = World::new([vec![say("asked again"), stop()]]).await;
    let spoke = world.ask("openai", "hello").await;
    world.dead_owner(spoke.generation_id, 3, 3).await;
    let silent = world.ask("openai", "hello").await;
    world.dead_owner(silent.generation_id, 0, 0).await;
    let waiting = world.ask("openai", "hello").await;
    let worker = world.worker_on(world.queue.clone(), Settings::default());
    assert_eq!(worker.settle_all_now(&world.tasks).await.unwrap(), 2);
    let ended = world.ended(spoke.generation_id).await;
    assert_eq!((ended.status, ended.text), (TerminalStatus::Interrupted, "word ".repeat(3)));
    assert_eq!(world.ended(silent.generation_id).await.text, "asked again");
    let told = world.told(waiting.generation_id).await;
    assert!(matches!(told.state, Generation::Requested(_)), "what has no owner is the dispatcher's");
    world.close().await;
}

#[tokio::test]
async fn the_sweeper_takes_over_after_ten_minutes_unless_the_owner_answers() {
    let world = World::new([]).await;
    let lost = world.ask("openai", "hello").await;
    world.dead_owner(lost.generation_id, 1, 1).await;
    let alive = world.ask("openai", "hello").await;
    world.dead_owner(alive.generation_id, 1, 1).await;
    let _answering = world.bus.subscribe(Subject::Owner(alive.generation_id)).await.unwrap();
    let worker = world.worker_on(world.queue.clone(), Settings::default());
    assert_eq!(worker.sweep_now(&world.tasks).await.unwrap(), 0, "ten minutes are not over");
    world.clock.put_forward(Duration::from_secs(601));
    assert_eq!(worker.sweep_now(&world.tasks).await.unwrap(), 2);
    assert_eq!(world.ended(lost.generation_id).await.status, TerminalStatus::Interrupted);
    assert!(world.told(alive.generation_id).await.terminal.is_none());
    world.close().await;
}

#[tokio::test]
async fn after_a_killed_process_the_next_one_that_starts_ends_its_replies_as_their_users_wish() {
    let world = World::new([]).await;
    let lost = world.ask("openai", "hello").await;
    world.dead_owner(lost.generation_id, 2, 2).await;
    let unwanted = world.ask("openai", "hello").await;
    world.dead_owner(unwanted.generation_id, 1, 1).await;
    cancel_generation(&world.app, world.user, unwanted.generation_id).await.unwrap();
    world.clock.put_forward(Duration::from_secs(31));
    world.worker();
    let (dispatcher, drain) =
        (Dispatcher::new(world.app.clone(), world.queue.clone()), CancellationToken::new());
    world.tasks.spawn(dispatcher.run(drain.clone()));
    assert_eq!(world.ended(lost.generation_id).await.status, TerminalStatus::Interrupted);
    assert_eq!(world.ended(unwanted.generation_id).await.status, TerminalStatus::Cancelled);
    drain.cancel();
    world.close().await;
}

#[tokio::test]
async fn a_job_published_again_for_a_reply_this_worker_has_in_hand_changes_nothing() {
    let world = World::new([vec![say("once"), Line::Hold, stop()]]).await;
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), Settings::default());
    worker.start(&world.tasks, CancellationToken::new());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    world.clock.put_forward(Duration::from_secs(31));
    queue.deliver(posted.generation_id, 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.provider.go_on();
    for _ in 0..2 {
        assert_eq!(queue.outcome().await, Outcome::Acked, "both jobs end with the reply");
    }
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.text.as_str(), ended.epoch, world.provider.requests().len()), ("once", 1, 1));
}

#[tokio::test]
async fn more_abandoned_replies_than_places_do_not_hold_up_the_start() {
    let again = || vec![Line::Hold, say("again"), stop()];
    let world = World::new([again(), again(), again()]).await;
    let mut lost = Vec::new();
    for _ in 0..3 {
        let posted = world.ask("openai", "hello").await;
        world.dead_owner(posted.generation_id, 0, 0).await;
        lost.push(posted.generation_id);
    }
    let one_place = Settings { concurrency: 1, ..Settings::default() };
    let worker = world.worker_on(world.queue.clone(), one_place);
    let settling = tokio::time::timeout(SOON, worker.settle_all_now(&world.tasks)).await;
    assert_eq!(settling.expect("it waits for no place").unwrap(), 3);
    for generation in lost {
        world.provider.go_on();
        assert_eq!(world.ended(generation).await.text, "again");
    }
    world.close().await;
}

#[tokio::test]
async fn a_lost_reply_that_cannot_be_settled_now_is_settled_when_the_log_answers_again() {
    let world = World::without_read_models([]).await;
    let lost = world.ask("openai", "hello").await;
    world.dead_owner(lost.generation_id, 2, 2).await;
    world.clock.put_forward(Duration::from_secs(601));
    let worker = world.worker_on(world.queue.clone(), Settings::default());
    let asking = world.bus.asking.lock().await;
    assert_eq!(worker.sweep_now(&world.tasks).await.unwrap(), 1);
    world.hide_events(true).await;
    drop(asking);
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.hide_events(false).await;
    assert_eq!(world.ended(lost.generation_id).await.status, TerminalStatus::Interrupted);
    world.close().await;
}

#[tokio::test]
async fn an_owner_lives_through_a_log_that_does_not_answer_for_a_while() {
    let world = World::new([vec![say("old "), Line::Hold, say("new"), Line::Hold, stop()]]).await;
    world.worker();
    let posted = world.hello().await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    for _at in ["its looks", "its records", "its end"] {
        world.hide_events(true).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        world.provider.go_on();
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.hide_events(false).await;
    }
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str(), ended.epoch), (TerminalStatus::Completed, "old new", 1));
    world.close().await;
}

#[tokio::test]
async fn an_owner_that_could_not_listen_can_be_asked_once_the_bus_is_back() {
    let world = World::new([vec![say("old "), Line::Hold, stop()]]).await;
    world.bus.go_away(true);
    world.worker();
    let posted = world.hello().await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    world.bus.go_away(false);
    let answering = async {
        while !world.bus.owner_answers(posted.generation_id).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, answering).await.expect("it never listens");
    world.provider.go_on();
    assert_eq!(world.ended(posted.generation_id).await.text, "old ");
    world.close().await;
}
