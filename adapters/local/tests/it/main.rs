//! The laws of the ports, for the adapters of this crate.
#![allow(clippy::unwrap_used)]

mod blobs;

use slipstream_local::{InProcessBus, InProcessQueue, InProcessStreamState};
use slipstream_testkit::laws;

#[tokio::test(start_paused = true)]
async fn the_queue_keeps_the_laws_of_a_job_queue() {
    laws::job_queue(laws::QueueTimes::PROMISED, async || InProcessQueue::new()).await;
}

#[tokio::test]
async fn the_bus_keeps_the_laws_of_a_live_bus() {
    let bus = InProcessBus::new();
    laws::live_bus(&bus, &bus).await;
}

#[tokio::test(start_paused = true)]
async fn the_stream_state_keeps_the_laws_of_a_stream_state() {
    laws::stream_state(InProcessStreamState::new()).await;
}
