//! What a reply costs on the way to Redis (`09-targets`: at most three times its payload, the same for long ones).

use slipstream_domain::run::merged;
use slipstream_projections::{Output, StreamState};
use slipstream_testkit::TestServer;

use super::{delta, key, raw, state};

/// Deltas the worker's window takes together when a provider is at full speed.
const TOGETHER: u64 = 25;

/// Bytes that reach Redis for each byte of a reply of so many deltas of four bytes.
async fn cost(count: u64) -> f64 {
    let server = TestServer::redis();
    let (state, key) = (state(&server.url()), key());
    state.seed(key, &[delta(1)]).await.unwrap();
    let before = received(&server).await;
    for window in (2..=count).collect::<Vec<_>>().chunks(usize::try_from(TOGETHER).unwrap()) {
        let run = merged(window.iter().map(|seq| delta(*seq).run)).pop().unwrap();
        state.append(key, &Output { run, thinking_ms: None }).await.unwrap();
    }
    let bytes = received(&server).await - before;
    let payload = (count - 1) * 4;
    f64::from(u32::try_from(bytes).unwrap()) / f64::from(u32::try_from(payload).unwrap())
}

async fn received(server: &TestServer) -> u64 {
    let info: String =
        redis::cmd("INFO").arg("stats").query_async(&mut raw(&server.url()).await).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:")).unwrap();
    line.parse().unwrap()
}

#[tokio::test]
async fn a_reply_costs_less_than_three_times_its_text_however_long_it_is() {
    let (short, long) = (cost(500).await, cost(20_000).await);
    assert!(short < 3.0 && long < 3.0, "{short} and {long} bytes a byte");
}
