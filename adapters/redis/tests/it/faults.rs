//! A Redis that forgets, dies, hangs and comes back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use slipstream_domain::Seq;
use slipstream_projections::{StreamKey, StreamState, StreamStateError};
use slipstream_testkit::TestServer;

use super::{delta, deltas, key, name, raw, state};

/// Generous for a busy machine; a call that waited for something would take its whole time-out, half a second.
const AT_ONCE: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_flush_in_the_middle_is_said_and_a_seed_mends_it() {
    let server = TestServer::redis();
    let (state, key) = (state(&server.url()), key());
    state.seed(key, &[delta(1)]).await.unwrap();
    state.append(key, &delta(2)).await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut raw(&server.url()).await).await.unwrap();
    assert_eq!(state.append(key, &delta(3)).await, Err(StreamStateError::Lost));
    assert_eq!(state.read_after(key, Seq::START).await, Ok(None));
    state.seed(key, &[delta(1), delta(2), delta(3)]).await.unwrap();
    state.append(key, &delta(4)).await.unwrap();
    assert_eq!(deltas(&state.read_after(key, Seq::START).await.unwrap().unwrap()), 4);
}

#[tokio::test]
async fn a_dead_redis_is_noticed_at_once_and_its_return_by_the_next_call() {
    let mut server = TestServer::redis();
    let (state, key) = (state(&server.url()), key());
    for _ in 0..3 {
        state.seed(key, &[delta(1)]).await.unwrap();
        server.kill();
        for _ in 0..5 {
            let begin = Instant::now();
            let answer = state.append(key, &delta(2)).await;
            assert!(matches!(answer, Err(StreamStateError::Unavailable(_))), "{answer:?}");
            assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
        }
        server.restart();
        assert_eq!(state.append(key, &delta(2)).await, Err(StreamStateError::Lost));
    }
}

#[tokio::test]
async fn a_process_starts_without_its_redis() {
    let mut server = TestServer::redis();
    server.kill();
    let state = state(&server.url());
    assert!(state.ping().await.is_err());
    server.restart();
    state.ping().await.unwrap();
}

#[tokio::test]
async fn a_redis_that_hangs_costs_a_call_its_time_out_and_no_more() {
    let server = TestServer::redis();
    let (state, key) = (state(&server.url()), key());
    state.seed(key, &[delta(1)]).await.unwrap();
    redis::cmd("CLIENT").arg(&["PAUSE", "1500"]).exec_async(&mut raw(&server.url()).await).await.unwrap();
    let begin = Instant::now();
    let more: Vec<_> = (2..200).map(delta).collect();
    for answer in join_all(more.iter().map(|output| state.append(key, output))).await {
        assert!(matches!(answer, Err(StreamStateError::Unavailable(_))), "{answer:?}");
    }
    assert!(begin.elapsed() < Duration::from_millis(1400), "{:?}", begin.elapsed());
    // What timed out may have been done all the same; the top says how far.
    tokio::time::sleep(Duration::from_millis(1600)).await;
    assert_eq!(state.top(key).await, Ok(Some(Seq(199))));
}

#[tokio::test]
async fn a_stream_with_a_hole_or_with_bytes_of_another_version_is_as_good_as_lost() {
    let server = TestServer::redis();
    let state = state(&server.url());
    let (holed, foreign) = (key(), key());
    state.seed(holed, &[delta(1), delta(3)]).await.unwrap();
    assert_eq!(state.read_after(holed, Seq::START).await, Ok(None));
    assert_eq!(deltas(&state.read_after(holed, Seq(2)).await.unwrap().unwrap()), 1);
    state.seed(foreign, &[delta(1)]).await.unwrap();
    let mut add = redis::cmd("XADD");
    add.arg(name(foreign)).arg("2-0").arg("o").arg("\u{2}new");
    add.exec_async(&mut raw(&server.url()).await).await.unwrap();
    assert_eq!(state.read_after(foreign, Seq::START).await, Ok(None));
}

#[tokio::test]
async fn a_stale_owner_touches_only_its_own_epoch() {
    let server = TestServer::redis();
    let state = state(&server.url());
    let old = key();
    let current = StreamKey { epoch: old.epoch.next(), ..old };
    state.seed(old, &[delta(1), delta(2)]).await.unwrap();
    state.seed(current, &[delta(1)]).await.unwrap();
    state.append(old, &delta(3)).await.unwrap();
    state.seed(old, &[delta(1)]).await.unwrap();
    state.ended(old).await.unwrap();
    assert_eq!(state.top(current).await, Ok(Some(Seq(1))));
    let left: i64 =
        redis::cmd("TTL").arg(name(current)).query_async(&mut raw(&server.url()).await).await.unwrap();
    assert!(left > 23 * 3600);
}
