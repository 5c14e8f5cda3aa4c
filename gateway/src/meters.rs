//! What the gateway counts. Labels come from fixed sets only.

use std::collections::HashMap;
use std::sync::{LazyLock, RwLock};
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Says what every metric of the gateway means.
pub fn describe_metrics() {
    describe_gauge!("slipstream_sockets", Unit::Count, "WebSockets that are open.");
    describe_counter!(
        "slipstream_frames_total",
        Unit::Count,
        "Frames read from clients (`direction` `in`) and written to them (`out`), by their type."
    );
    describe_counter!(
        "slipstream_repairs_total",
        Unit::Count,
        "Output that did not arrive live and was read elsewhere: from the stream state (`tier` `hot`) or the `log`."
    );
    describe_counter!(
        "slipstream_terminal_waits_timed_out_total",
        Unit::Count,
        "Ends of replies that were sent before the transcript had their message."
    );
    describe_histogram!(
        "slipstream_added_latency_seconds",
        Unit::Seconds,
        "From output that came from a provider to its hand-over to a socket's writer, the window in which output is \
         gathered included."
    );
    describe_counter!(
        "slipstream_resumes_total",
        Unit::Count,
        "Streams that go on for a client that has a part of them already, by how they go on."
    );
    describe_counter!(
        "slipstream_conflations_total",
        Unit::Count,
        "Times that output for a slow client was held back, to be sent as one frame when there is room."
    );
}

/// One socket more; one less when it is dropped.
pub(crate) struct OpenSocket(());

impl OpenSocket {
    pub(crate) fn count() -> Self {
        gauge!("slipstream_sockets").increment(1.0);
        Self(())
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        gauge!("slipstream_sockets").decrement(1.0);
    }
}

pub(crate) fn frame_in(kind: &'static str) {
    static FRAMES: Frames = Frames::new("in");
    FRAMES.count(kind);
}

pub(crate) fn frame_out(kind: &'static str) {
    static FRAMES: Frames = Frames::new("out");
    FRAMES.count(kind);
}

/// The counters of one direction. Finding one among all metrics takes allocations, and there is a frame for every chunk.
struct Frames {
    direction: &'static str,
    by_type: LazyLock<RwLock<HashMap<&'static str, Counter>>>,
}

impl Frames {
    const fn new(direction: &'static str) -> Self {
        Self { direction, by_type: LazyLock::new(RwLock::default) }
    }

    fn count(&self, kind: &'static str) {
        // A map of handles is whole whoever panicked over it.
        let known = self.by_type.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(counter) = known.get(kind) {
            return counter.increment(1);
        }
        drop(known);
        let counter = counter!("slipstream_frames_total", "direction" => self.direction, "type" => kind);
        counter.increment(1);
        self.by_type.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(kind, counter);
    }
}

/// Output was missing and was read from a lower tier: `hot` or `log`.
pub(crate) fn repair(tier: &'static str) {
    counter!("slipstream_repairs_total", "tier" => tier).increment(1);
}

/// A terminal frame was sent before the transcript had the message.
pub(crate) fn terminal_wait_timed_out() {
    counter!("slipstream_terminal_waits_timed_out_total").increment(1);
}

/// A stream goes on for a v1 client, in this mode.
pub(crate) fn resume(mode: &'static str) {
    counter!("slipstream_resumes_total", "mode" => mode).increment(1);
}

/// Output for a slow v1 client is held back, to be sent as one frame when there is room.
pub(crate) fn conflation() {
    counter!("slipstream_conflations_total").increment(1);
}

/// Output goes to a socket's writer, so long after it came from its provider.
pub(crate) fn added_latency(took: Duration) {
    static ADDED: LazyLock<Histogram> = LazyLock::new(|| histogram!("slipstream_added_latency_seconds"));
    ADDED.record(took);
}
