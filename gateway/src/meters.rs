//! What the gateway counts. Labels come from fixed sets only.

use metrics::{counter, gauge};

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
    counter!("slipstream_frames_total", "direction" => "in", "type" => kind).increment(1);
}

pub(crate) fn frame_out(kind: &'static str) {
    counter!("slipstream_frames_total", "direction" => "out", "type" => kind).increment(1);
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
