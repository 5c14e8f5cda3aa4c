//! The model test of exact resume: many conversations at once over the real gateway, workers, log and read models of one
//! process, while live frames are dropped, repeated and swapped, jobs delivered twice, owners replaced under way, the stream
//! state is flushed and lags, the bus falls silent, gateways restart, the read models stop, and devices reconnect, reload,
//! stall and cancel.
//!
//! One conversation's schedule is one of the 10,000; they share a world by hundreds, and are drawn, and shrunk, by
//! proptest. `SLIPSTREAM_MODEL_SCHEDULES` sets another number, `PROPTEST_RNG_SEED` the seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod device;
mod faults;
mod schedule;
mod world;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::schedule::Schedule;

/// Conversations of one world.
const TOGETHER: usize = 500;
const SCHEDULES: usize = 10_000;

#[test]
fn whatever_breaks_every_device_ends_with_the_text_of_the_log() {
    let schedules = schedules();
    let together = TOGETHER.min(schedules);
    let cases = u32::try_from(schedules.div_ceil(together)).unwrap();
    // Every try of a shrink is a world's life of some seconds.
    let config = Config { cases, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let result = TestRunner::new(config).run(&Schedule::of(together), |schedule| {
        let lived = runtime.block_on(world::live(&schedule));
        lived.map_err(|what| {
            // Before it is shrunk, which takes its time and may end with less.
            eprintln!("{what}");
            TestCaseError::fail(what)
        })
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[allow(clippy::disallowed_methods, reason = "tests have no configuration to take a number from")]
fn schedules() -> usize {
    std::env::var("SLIPSTREAM_MODEL_SCHEDULES")
        .map_or(SCHEDULES, |number| number.parse().expect("SLIPSTREAM_MODEL_SCHEDULES is a number"))
}
