//! A worker is told to drain.

use std::time::Duration;

use slipstream_domain::{Part, TerminalStatus};
use slipstream_testkit::Line;
use slipstream_workers::{AtGraceEnd, Settings};
use tokio_util::sync::CancellationToken;

use crate::queue::{HandedOut, Outcome};
use crate::world::{World, say, stop, text};

fn settings(grace: Duration) -> Settings {
    Settings { grace, ..Settings::default() }
}

#[tokio::test]
async fn what_cannot_end_in_the_grace_period_is_handed_back_and_not_ended() {
    let world =
        World::new([vec![say("so "), say("far"), Line::Hold, stop()], vec![say("again"), stop()]]).await;
    let (queue, drain) = (HandedOut::new(), CancellationToken::new());
    world.worker_on(queue.clone(), settings(Duration::from_millis(300))).start(&world.tasks, drain.clone());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    drain.cancel();
    assert_eq!(queue.outcome().await, Outcome::GivenBack(Duration::ZERO));
    assert_eq!(world.provider.closed(), 1);
    let told = world.told(posted.generation_id).await;
    assert_eq!((text(&told, Part::Text).as_str(), told.terminal.is_none()), ("so far", true));

    // Nobody waits to see whether its owner is gone.
    world.worker();
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str()), (TerminalStatus::Interrupted, "so far"));
    world.close().await;
}

#[tokio::test]
async fn what_is_handed_back_before_a_word_is_asked_again_by_the_next_worker() {
    let world = World::new([vec![Line::Hold, stop()], vec![say("at last"), stop()]]).await;
    let (queue, drain) = (HandedOut::new(), CancellationToken::new());
    world.worker_on(queue.clone(), settings(Duration::from_millis(300))).start(&world.tasks, drain.clone());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    while world.provider.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drain.cancel();
    assert_eq!(queue.outcome().await, Outcome::GivenBack(Duration::ZERO));
    world.worker();
    world.publish(&posted).await;
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str()), (TerminalStatus::Completed, "at last"));
    world.close().await;
}

#[tokio::test]
async fn what_can_end_in_the_grace_period_does_and_no_new_job_is_taken() {
    let world = World::new([vec![say("so far"), Line::Hold, say(", so good"), stop()]]).await;
    let (queue, drain) = (HandedOut::new(), CancellationToken::new());
    world.worker_on(queue.clone(), settings(Duration::from_secs(10))).start(&world.tasks, drain.clone());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    drain.cancel();
    let late = world.ask("openai", "too late").await;
    queue.deliver(late.generation_id, 0).await;
    world.provider.go_on();
    assert_eq!(queue.outcome().await, Outcome::Acked);
    assert_eq!(world.ended(posted.generation_id).await.text, "so far, so good");
    assert_eq!(world.provider.requests().len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_worker_takes_no_more_jobs_than_it_has_places() {
    let world = World::new([vec![Line::Hold, say("one"), stop()], vec![say("two"), stop()]]).await;
    let queue = HandedOut::new();
    let one_place = Settings { concurrency: 1, ..Settings::default() };
    world.worker_on(queue.clone(), one_place).start(&world.tasks, CancellationToken::new());
    let first = world.ask("openai", "hello").await;
    let second = world.ask("openai", "hello").await;
    queue.deliver(first.generation_id, 0).await;
    queue.deliver(second.generation_id, 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.provider.requests().len(), 1);
    world.provider.go_on();
    assert_eq!(world.ended(first.generation_id).await.text, "one");
    assert_eq!(world.ended(second.generation_id).await.text, "two");
}

#[tokio::test]
async fn where_nobody_else_would_go_on_what_cannot_end_in_the_grace_period_is_interrupted() {
    let world =
        World::new([vec![say("so "), say("far"), Line::Hold, stop()], vec![Line::Hold, stop()]]).await;
    let (queue, drain) = (HandedOut::new(), CancellationToken::new());
    let settings = Settings { at_grace_end: AtGraceEnd::Interrupt, ..settings(Duration::from_millis(300)) };
    world.worker_on(queue.clone(), settings).start(&world.tasks, drain.clone());
    let spoke = world.ask("openai", "hello").await;
    queue.deliver(spoke.generation_id, 0).await;
    world.told_when(spoke.generation_id, |told| !told.outputs.is_empty()).await;
    let silent = world.ask("openai", "hello").await;
    queue.deliver(silent.generation_id, 0).await;
    while world.provider.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drain.cancel();
    for _ in 0..2 {
        assert_eq!(queue.outcome().await, Outcome::Acked);
    }
    let ended = world.ended(spoke.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str(), ended.epoch), (TerminalStatus::Interrupted, "so far", 1));
    let ended = world.ended(silent.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str(), ended.epoch), (TerminalStatus::Interrupted, "", 1));
    assert_eq!(world.provider.closed(), 2);
    world.close().await;
}
