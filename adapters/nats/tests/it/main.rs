//! Queue, bus and hints on a real NATS: the laws, then what only a real one does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod jobs;
mod live;
mod tls;

use std::time::Duration;

use slipstream_nats::{Nats, NatsQueue, NatsSettings};
use slipstream_testkit::{laws, servers};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// The promised times, shortened so that a test need not wait for minutes.
const ACK_WAIT: Duration = Duration::from_secs(2);
const REMEMBERED: Duration = Duration::from_secs(10);

/// A prefix nobody else has, on a server that is everybody's.
fn settings(url: &str) -> NatsSettings {
    NatsSettings {
        prefix: format!("test-{}", Uuid::new_v4()),
        ack_wait: ACK_WAIT,
        duplicate_window: REMEMBERED,
        ..NatsSettings::new(url)
    }
}

/// A process of its own, as far as NATS can tell.
async fn process(settings: &NatsSettings) -> Nats {
    Nats::connect(settings.clone(), &TaskTracker::new()).await.unwrap()
}

async fn queue(settings: &NatsSettings) -> NatsQueue {
    process(settings).await.queue(CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn nats_keeps_the_laws_of_a_job_queue() {
    let times = laws::QueueTimes { ack_wait: ACK_WAIT, remembered: REMEMBERED };
    let laws = laws::job_queue(times, async || queue(&settings(&servers::nats_url())).await);
    Box::pin(laws).await;
}

#[tokio::test]
async fn nats_keeps_the_laws_of_a_live_bus_between_two_processes() {
    let settings = settings(&servers::nats_url());
    let (one, two) = (process(&settings).await, process(&settings).await);
    laws::live_bus(&one.bus(), &two.bus()).await;
}

#[tokio::test]
async fn nats_keeps_the_laws_of_hints() {
    let settings = settings(&servers::nats_url());
    let [one, two, three] = [process(&settings).await, process(&settings).await, process(&settings).await];
    laws::hints(&one.hints().await.unwrap(), &two.hints().await.unwrap(), &three.hints().await.unwrap())
        .await;
}
