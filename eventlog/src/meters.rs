//! What the log measures of itself. Handles are made once: a batch must not wait for its own measuring.

use std::time::Duration;

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::encode::Encoded;
use crate::write::Verdict;

/// Says what every metric of the log means.
pub fn describe_metrics() {
    describe_histogram!(
        "slipstream_append_seconds",
        Unit::Seconds,
        "From an append that asks to be written to its answer: waiting, one commit, and what it shares that with."
    );
    describe_histogram!(
        "slipstream_append_batch_seconds",
        Unit::Seconds,
        "One batch of appends at the database: one statement, one commit."
    );
    describe_histogram!("slipstream_append_batch_appends", Unit::Count, "Appends that share one commit.");
    describe_histogram!(
        "slipstream_append_batch_bytes",
        Unit::Bytes,
        "Payload of one batch, as it is stored."
    );
    describe_counter!(
        "slipstream_appends_total",
        Unit::Count,
        "Appends by outcome: `written`, `known` (a command that was recorded before), `conflict` (somebody else wrote \
         the stream meanwhile), `closed` (the stream has ended), `refused` (what it holds cannot be stored), `failed` \
         (the database did not answer)."
    );
}

/// The metrics of the one who writes batches.
pub(crate) struct Meters {
    seconds: Histogram,
    appends: Histogram,
    bytes: Histogram,
    written: Counter,
    known: Counter,
    conflict: Counter,
    closed: Counter,
    refused: Counter,
    failed: Counter,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let outcome = |outcome: &'static str| counter!("slipstream_appends_total", "outcome" => outcome);
        Self {
            seconds: histogram!("slipstream_append_batch_seconds"),
            appends: histogram!("slipstream_append_batch_appends"),
            bytes: histogram!("slipstream_append_batch_bytes"),
            written: outcome("written"),
            known: outcome("known"),
            conflict: outcome("conflict"),
            closed: outcome("closed"),
            refused: outcome("refused"),
            failed: outcome("failed"),
        }
    }

    /// A batch has been answered.
    #[allow(clippy::cast_precision_loss, reason = "a batch is far below 2^53 of anything")]
    pub(crate) fn batch<'a>(
        &self,
        batch: impl ExactSizeIterator<Item = &'a Encoded>,
        verdicts: &[Verdict],
        took: Duration,
    ) {
        self.seconds.record(took);
        self.appends.record(batch.len() as f64);
        self.bytes.record(batch.map(|append| append.bytes).sum::<usize>() as f64);
        for verdict in verdicts {
            self.outcome(verdict).increment(1);
        }
    }

    fn outcome(&self, verdict: &Verdict) -> &Counter {
        match verdict {
            Verdict::Written { .. } => &self.written,
            Verdict::Known { .. } => &self.known,
            Verdict::Conflict { .. } => &self.conflict,
            Verdict::Closed(_) => &self.closed,
            Verdict::OtherCategory(_) | Verdict::Refused { .. } => &self.refused,
            Verdict::Failed(_) => &self.failed,
        }
    }
}

/// An append has been answered.
pub(crate) fn appended(took: Duration) {
    histogram!("slipstream_append_seconds").record(took);
}
