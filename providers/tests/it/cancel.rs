//! Cancelling reaches the vendor.

use std::time::Duration;

use futures::StreamExt;
use slipstream_providers::Delta;
use slipstream_testkit::replay::{Cut, Outcome, ReplayOptions, ReplayServer};
use tokio_util::sync::CancellationToken;

use crate::assembled::{Assembled, golden, golden_of, provider, providers};
use crate::expected::vendors;

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn cancelling_in_mid_answer_closes_the_connection_whoever_answers() {
    let options =
        ReplayOptions { cut: Cut::Bytes(50), delay: Duration::from_millis(20), ..ReplayOptions::shipped() };
    let server = ReplayServer::start(options).await.unwrap();
    for (n, vendor) in vendors().iter().enumerate() {
        let cancel = CancellationToken::new();
        let asked = golden_of(vendor.name, vendor.model, "text");
        let mut call = providers(&server, 2).call(&provider(vendor.name), asked, cancel.clone());
        while !matches!(call.deltas.next().await, Some(Ok(Delta::Text(_)))) {}
        cancel.cancel();
        assert!(call.deltas.next().await.is_none(), "a cancelled answer ends without an item");
        // The stream is still held: cancelling alone closes the connection.
        assert_eq!(server.outcome(n, SOON).await.unwrap(), Outcome::ClientLeft, "{}", vendor.name);
        drop(call);
    }
}

#[tokio::test]
async fn cancelling_a_silent_vendor_does_not_wait_for_the_time_out() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let cancel = CancellationToken::new();
    let call = providers(&server, 2).call(&provider("openai"), golden("silence_before_text"), cancel.clone());
    let canceller = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    };
    let (got, ()) = tokio::join!(Assembled::of(call.deltas), canceller);
    assert_eq!(got, Assembled::default());
    assert_eq!(server.outcome(0, SOON).await.unwrap(), Outcome::ClientLeft);
}

#[tokio::test]
async fn dropping_the_answer_closes_the_connection_too() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let mut call = providers(&server, 2).call(
        &provider("openai"),
        golden("silence_after_text"),
        CancellationToken::new(),
    );
    assert!(call.deltas.next().await.is_some());
    drop(call);
    assert_eq!(server.outcome(0, SOON).await.unwrap(), Outcome::ClientLeft);
}
