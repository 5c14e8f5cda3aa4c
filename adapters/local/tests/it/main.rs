//! The laws of the ports, for the adapters of this crate.
#![allow(clippy::unwrap_used)]

mod blobs;

use slipstream_commands::ports::Signatures;
use slipstream_local::{FolderSignatures, InProcessBus, InProcessQueue, InProcessStreamState};
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

#[tokio::test]
async fn a_folder_keeps_the_laws_of_a_store_of_signatures_and_names_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderSignatures::new(folder.path().join("made/when/needed"));
    laws::signatures(&store).await;
    std::fs::write(folder.path().join("made/when/needed/1970-01-01/5.json"), "{").unwrap();
    assert!(store.all().await.unwrap_err().reason.contains("5.json"));
}
