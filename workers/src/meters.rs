//! What is measured of the work. Labels come from fixed sets only.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use slipstream_domain::TerminalStatus;

/// Says what every metric of the workers means.
pub fn describe_metrics() {
    describe_gauge!(
        "slipstream_generations_in_hand",
        Unit::Count,
        "Generations that this process is making."
    );
    describe_counter!(
        "slipstream_generations_total",
        Unit::Count,
        "Generations that this process has ended, by how they ended."
    );
    describe_histogram!(
        "slipstream_job_wait_seconds",
        Unit::Seconds,
        "From a request for a reply in the log to the worker that has made it its own."
    );
    describe_counter!(
        "slipstream_job_redeliveries_total",
        Unit::Count,
        "Jobs that the queue delivered again because their worker had not finished them."
    );
    describe_counter!(
        "slipstream_fallbacks_total",
        Unit::Count,
        "Replies that were asked of the fallback model because their own could not be had."
    );
    describe_counter!(
        "slipstream_takeovers_total",
        Unit::Count,
        "Generations that this process has taken over from an owner that was lost."
    );
    describe_histogram!(
        "slipstream_first_token_seconds",
        Unit::Seconds,
        "From a request for a reply in the log to its first output on the live bus: all that a user waits for but the \
         way to the socket."
    );
    describe_counter!(
        "slipstream_chunks_total",
        Unit::Count,
        "Pieces of output put on the live bus, each what came within a window."
    );
    describe_counter!(
        "slipstream_recorded_chunks_total",
        Unit::Count,
        "Pieces of output recorded in the log."
    );
}

/// A generation in this process's hands until it is dropped.
pub(crate) struct InHand(());

impl InHand {
    pub(crate) fn count() -> Self {
        gauge!("slipstream_generations_in_hand").increment(1.0);
        Self(())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        gauge!("slipstream_generations_in_hand").decrement(1.0);
    }
}

/// A generation has ended.
pub(crate) fn ended(status: TerminalStatus) {
    counter!("slipstream_generations_total", "status" => status.as_str()).increment(1);
}

/// A generation has its owner.
pub(crate) fn opened(waited: Duration) {
    histogram!("slipstream_job_wait_seconds").record(waited);
}

/// A job has come once more.
pub(crate) fn redelivered() {
    counter!("slipstream_job_redeliveries_total").increment(1);
}

/// Another model is asked.
pub(crate) fn fell_back() {
    counter!("slipstream_fallbacks_total").increment(1);
}

/// A generation has another owner.
pub(crate) fn taken_over() {
    counter!("slipstream_takeovers_total").increment(1);
}

/// A reader can see the first output.
pub(crate) fn first_token(waited: Duration) {
    histogram!("slipstream_first_token_seconds").record(waited);
}

/// Output is on the live bus.
pub(crate) fn shown() {
    counter!("slipstream_chunks_total").increment(1);
}

/// Output is in the log.
pub(crate) fn recorded() {
    counter!("slipstream_recorded_chunks_total").increment(1);
}
