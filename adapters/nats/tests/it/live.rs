//! The bus when the server dies, when processes differ in age, and when somebody is slow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use slipstream_commands::ports::{BusEvent, LiveBus, LiveMessage, Subject, Subscription};
use slipstream_domain::{ConversationId, Epoch, GenerationId, Seq};
use slipstream_testkit::{TestServer, servers};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{process, settings};

const SOON: Duration = Duration::from_secs(10);

fn conversation() -> Subject {
    Subject::Conversation(ConversationId::from_uuid(Uuid::new_v4()))
}

fn beat(seq: u64) -> Arc<LiveMessage> {
    let generation = GenerationId::from_uuid(Uuid::nil());
    Arc::new(LiveMessage::Beat { generation, epoch: Epoch::FIRST, seq: Seq(seq) })
}

async fn next(listener: &mut Box<dyn Subscription>) -> BusEvent {
    timeout(SOON, listener.next()).await.expect("something is due").expect("the bus is there")
}

#[tokio::test]
async fn after_a_crash_of_the_server_every_listener_is_told_and_hears_again() {
    let mut server = TestServer::nats();
    let settings = settings(&server.url());
    let (speaker, hearer) = (process(&settings).await, process(&settings).await);
    let (out, ear) = (speaker.bus(), hearer.bus());
    let subject = conversation();
    let mut listeners = [ear.subscribe(subject).await.unwrap(), ear.subscribe(conversation()).await.unwrap()];
    for round in 1..=2 {
        server.kill();
        let begin = Instant::now();
        for seq in 0..20_000 {
            out.publish(subject, beat(seq)).await;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "a dead server holds a publisher up");
        server.restart();
        for listener in &mut listeners {
            heard(listener, &BusEvent::Lagged).await;
        }
        while !speaker.is_connected() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let fresh = beat(1_000_000 + round);
        out.publish(subject, Arc::clone(&fresh)).await;
        heard(&mut listeners[0], &BusEvent::Message(fresh)).await;
    }
}

/// Waits for an event. What was on its way when the server died may come before it.
async fn heard(listener: &mut Box<dyn Subscription>, expected: &BusEvent) {
    while next(listener).await != *expected {}
}

#[tokio::test]
async fn an_owner_answers_other_processes_while_it_lives_and_a_bus_that_was_away_cannot_tell() {
    let mut server = TestServer::nats();
    let settings = settings(&server.url());
    let (owner, asker) = (process(&settings).await, process(&settings).await);
    let (owner_bus, asking) = (owner.bus(), asker.bus());
    let generation = GenerationId::from_uuid(Uuid::new_v4());
    let _hints = owner_bus.subscribe(Subject::Owner(generation)).await.unwrap();
    assert!(asking.owner_answers(generation).await.unwrap());
    owner.close().await;
    assert!(!asking.owner_answers(generation).await.unwrap());
    server.kill();
    let begin = Instant::now();
    assert!(asking.owner_answers(generation).await.is_err());
    assert!(begin.elapsed() < Duration::from_secs(3));
    server.restart();
    while !asker.is_connected() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(asking.owner_answers(generation).await.is_err(), "the owner may be on its way back");
    while asking.owner_answers(generation).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(30), "it never becomes certain");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!asking.owner_answers(generation).await.unwrap());
}

#[tokio::test]
async fn what_only_newer_processes_say_is_skipped() {
    let url = servers::nats_url();
    let settings = settings(&url);
    let (one, raw) = (process(&settings).await, async_nats::connect(&url).await.unwrap());
    let id = ConversationId::from_uuid(Uuid::new_v4());
    let bus = one.bus();
    let mut listener = bus.subscribe(Subject::Conversation(id)).await.unwrap();
    let name = format!("{}.live.{id}", settings.prefix);
    for newer in [&b"\x02{}"[..], b"\x01{\"dance\":{}}", b""] {
        raw.publish(name.clone(), newer.to_vec().into()).await.unwrap();
    }
    raw.flush().await.unwrap();
    bus.publish(Subject::Conversation(id), beat(1)).await;
    assert_eq!(next(&mut listener).await, BusEvent::Message(beat(1)));
}

#[tokio::test]
async fn a_slow_listener_loses_only_its_own() {
    let settings = settings(&servers::nats_url());
    let (speaker, hearer) = (process(&settings).await, process(&settings).await);
    let (out, ear) = (speaker.bus(), hearer.bus());
    let subject = conversation();
    let mut slow = ear.subscribe(subject).await.unwrap();
    let mut fast = ear.subscribe(subject).await.unwrap();
    for seq in 1..=1000 {
        out.publish(subject, beat(seq)).await;
        assert_eq!(next(&mut fast).await, BusEvent::Message(beat(seq)));
    }
    assert_eq!(next(&mut slow).await, BusEvent::Lagged);
    let newest: u64 = 1000 - subject.backlog() as u64 + 1;
    for seq in newest..=1000 {
        assert_eq!(next(&mut slow).await, BusEvent::Message(beat(seq)));
    }
}

#[tokio::test]
async fn closing_ends_every_subscription_and_every_task() {
    let tasks = TaskTracker::new();
    let nats = slipstream_nats::Nats::connect(settings(&servers::nats_url()), &tasks).await.unwrap();
    let drain = tokio_util::sync::CancellationToken::new();
    let (bus, _queue) = (nats.bus(), nats.queue(drain.clone()).await.unwrap());
    let mut listener = bus.subscribe(conversation()).await.unwrap();
    let dropped = bus.subscribe(conversation()).await.unwrap();
    drop(dropped);
    drain.cancel();
    nats.close().await;
    assert_eq!(timeout(SOON, listener.next()).await.unwrap(), None);
    tasks.close();
    timeout(SOON, tasks.wait()).await.expect("a task goes on");
}
