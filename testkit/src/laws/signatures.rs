//! The laws of [`Signatures`].

use slipstream_commands::ports::Signatures;
use slipstream_eventlog::{Head, Position, SigningKey};
use time::OffsetDateTime;
use uuid::Uuid;

/// Checks every law on an empty store.
///
/// # Panics
/// When a law is broken.
pub async fn signatures(store: &impl Signatures) {
    let key = SigningKey::parse(&"5e".repeat(32)).expect("a key");
    let head = |batch_no| Head { position: Position::new(9), batch_no, chain: [3; 32], recorded_at: None };
    let sign = |batch_no| key.sign(&head(batch_no), Uuid::new_v4(), OffsetDateTime::UNIX_EPOCH);
    let [first, second, third] = [sign(2), sign(10), sign(100)];
    for signature in [&second, &third, &first, &second] {
        store.keep(signature).await.expect("it is kept");
    }
    let all = store.all().await.expect("all are there");
    assert_eq!(all, [first, second, third], "whole, unchanged, once, in the order of batches");
}
