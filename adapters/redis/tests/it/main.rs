//! The stream state on a real Redis: the laws, then what only a real one does.
#![allow(clippy::unwrap_used)]

mod faults;
mod size;
mod time;
mod tls;

use redis::aio::MultiplexedConnection;
use slipstream_domain::{Epoch, GenerationId, Part, Run, Seq};
use slipstream_projections::{Output, StreamKey};
use slipstream_redis::{RedisSettings, RedisStreamState};
use slipstream_testkit::{laws, servers};
use uuid::Uuid;

#[tokio::test]
async fn redis_keeps_the_laws_of_a_stream_state() {
    laws::stream_state(state(&servers::redis_url())).await;
}

fn state(url: &str) -> RedisStreamState {
    RedisStreamState::new(&RedisSettings::new(url)).unwrap()
}

/// A look past the adapter.
async fn raw(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

fn key() -> StreamKey {
    StreamKey { generation: GenerationId::from_uuid(Uuid::new_v4()), epoch: Epoch::FIRST }
}

fn name(key: StreamKey) -> String {
    format!("stream:state:{{{}}}:{}", key.generation, key.epoch.0)
}

/// One delta of four bytes.
fn delta(seq: u64) -> Output {
    Output { run: Run::delta(Seq(seq), Part::Text, (seq - 1) * 4, "four".into()), thinking_ms: None }
}

fn deltas(outputs: &[Output]) -> u64 {
    outputs.iter().map(|output| output.run.count()).sum()
}
