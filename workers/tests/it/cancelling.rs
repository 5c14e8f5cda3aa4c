//! The user stops a reply.

use std::time::{Duration, Instant};

use slipstream_commands::{Cancelled, cancel_generation};
use slipstream_domain::{Part, ProviderId, Seq, TerminalStatus, UsageSource};
use slipstream_testkit::Line;
use slipstream_testkit::replay::{Outcome as ReplayOutcome, ReplayOptions, ReplayServer};

use crate::queue::{HandedOut, Outcome};
use crate::world::{SOON, World, say, stop, text, think};

/// A reply that has said "so far" and is silent now; how long after the wish its connection was closed.
async fn time_to_stop(world: &World) -> Duration {
    world.worker();
    let posted = world.hello().await;
    world.told_when(posted.generation_id, |told| text(told, Part::Text) == "so far").await;
    // At a moment when nothing is due.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    let wished = Instant::now();
    assert_eq!(asked, Cancelled::Asked);
    while world.provider.closed() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = wished.elapsed();
    let ended = world.ended(posted.generation_id).await;
    assert_eq!((ended.status, ended.text.as_str()), (TerminalStatus::Cancelled, "so far"));
    let usage = ended.terminal.usage.unwrap();
    assert_eq!((usage.source, usage.output), (UsageSource::Estimated, 2));
    took
}

fn silent() -> Vec<Line> {
    vec![say("so"), say(" far"), Line::Hold, say("never said"), stop()]
}

#[tokio::test]
async fn a_wish_to_stop_is_honoured_within_100_ms_and_what_was_said_is_kept() {
    let world = World::new([silent()]).await;
    let took = time_to_stop(&world).await;
    assert!(took < Duration::from_millis(100), "{took:?}");
    world.close().await;
}

#[tokio::test]
async fn a_reply_stopped_before_its_first_word_has_cost_its_question() {
    let world = World::new([vec![Line::Hold, stop()]]).await;
    world.worker();
    let posted = world.hello().await;
    while world.provider.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    let ended = world.ended(posted.generation_id).await;
    let usage = ended.terminal.usage.unwrap();
    assert_eq!((usage.source, usage.input, usage.output), (UsageSource::Estimated, 2, 0));
    world.close().await;
}

#[tokio::test]
async fn a_wish_whose_hint_is_lost_is_found_in_the_log_though_the_provider_is_silent() {
    let world = World::new([silent()]).await;
    world.bus.lose_hints();
    let took = time_to_stop(&world).await;
    assert!(took < Duration::from_millis(800), "{took:?}");
    world.close().await;
}

#[tokio::test]
async fn a_wish_whose_hint_is_lost_is_found_by_the_next_record_of_a_talkative_provider() {
    let script = (0..500).flat_map(|_| [say("word "), Line::Wait(Duration::from_millis(10))]);
    let world = World::new([script.collect()]).await;
    world.bus.lose_hints();
    world.worker();
    let posted = world.hello().await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(ended.status, TerminalStatus::Cancelled);
    assert!(ended.terminal.final_seq < Seq(200), "{:?}", ended.terminal.final_seq);
    world.close().await;
}

#[tokio::test]
async fn a_reply_cancelled_while_it_only_thinks_keeps_its_thoughts() {
    let world = World::new([vec![think("hm"), Line::Hold, say("never said"), stop()]]).await;
    world.worker();
    let posted = world.hello().await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(
        (ended.status, ended.thinking.as_str(), ended.text.as_str()),
        (TerminalStatus::Cancelled, "hm", "")
    );
    world.close().await;
}

#[tokio::test]
async fn a_reply_cancelled_before_a_worker_has_it_is_not_made() {
    let world = World::new([]).await;
    let posted = world.ask("openai", "hello").await;
    let over = cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    assert_eq!(over, Cancelled::Over(TerminalStatus::Cancelled));
    let queue = HandedOut::new();
    let worker = world.worker_on(queue.clone(), slipstream_workers::Settings::default());
    worker.start(&world.tasks, tokio_util::sync::CancellationToken::new());
    queue.deliver(posted.generation_id, 0).await;
    assert_eq!(queue.outcome().await, Outcome::Acked);
    assert!(world.provider.requests().is_empty());
}

#[tokio::test]
async fn a_vendor_sees_its_connection_closed_and_what_it_said_is_kept() {
    let vendor = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let world = World::new([]).await;
    let openai = ProviderId::parse("openai").unwrap();
    let base_urls = [(openai, vendor.base_url_of("openai"))].into();
    let providers = world.providers(&slipstream_providers::Settings { base_urls, ..Default::default() });
    let settings = slipstream_workers::Settings::default();
    world.started(world.worker_asking(providers, world.queue.clone(), settings));
    let posted = world.ask("openai", "[[golden=silence_after_text]]").await;
    world.publish(&posted).await;
    world.told_when(posted.generation_id, |told| !told.outputs.is_empty()).await;
    cancel_generation(&world.app, world.user, posted.generation_id).await.unwrap();
    let ended = world.ended(posted.generation_id).await;
    assert_eq!(ended.status, TerminalStatus::Cancelled);
    assert!(!ended.text.is_empty() && ended.terminal.usage.is_some());
    assert_eq!(vendor.outcome(0, SOON).await.unwrap(), ReplayOutcome::ClientLeft);
    world.close().await;
}
