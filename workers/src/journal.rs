//! The log's copy of what one owner produces: at most every 500 ms or 8 KiB, one write at a time and in order, beside the
//! reply, which goes on meanwhile. Every write, and a look at the log when there is nothing to write, also tells whether
//! the user wants the reply to stop and whether another owner has taken it.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use slipstream_commands::{Chunks, CommandError, Commands, Ownership, record_chunks};
use slipstream_domain::run::merged;
use slipstream_domain::{Run, Seq};
use tokio::time::Instant;

use crate::meters;

/// How long output may wait to be recorded, and how long an owner goes without a look at the log
/// (`04-streaming-and-resume`, "Tiers" and "Cancel").
const EVERY: Duration = Duration::from_millis(500);
/// How many bytes of output may wait to be recorded (same place).
const ENOUGH: usize = 8 * 1024;
/// The most text of one record. In JSON it can grow sixfold, and an append takes 1 MiB.
const MOST_BYTES: usize = 64 * 1024;
/// The most deltas of one record: their ends are numbers of up to 6 digits.
const MOST_DELTAS: usize = 8 * 1024;

/// What is produced and not yet recorded, and the one write that is under way.
pub(crate) struct Journal {
    app: Commands,
    /// Here or inside `write`, never both.
    own: Option<Box<Ownership>>,
    write: Option<BoxFuture<'static, Written>>,
    waiting: Vec<Run>,
    bytes: usize,
    thinking_ms: Option<u64>,
    /// When the next write is due at the latest.
    due: Instant,
}

/// A write that is done.
type Written = (Box<Ownership>, Result<(), CommandError>);

impl Journal {
    pub(crate) fn new(app: Commands, own: Box<Ownership>, now: Instant) -> Self {
        let (waiting, bytes, thinking_ms) = (Vec::new(), 0, None);
        Self { app, own: Some(own), write: None, waiting, bytes, thinking_ms, due: now + EVERY }
    }

    /// More output.
    pub(crate) fn push(&mut self, runs: impl IntoIterator<Item = Run>, thinking_ms: Option<u64>) {
        for run in runs {
            self.bytes += run.text.len();
            self.waiting.push(run);
        }
        self.thinking_ms = thinking_ms;
    }

    /// Bytes of output that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When [`Journal::start_if_due`] has something to do; `None` while a write is under way.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.write.is_none().then_some(self.due)
    }

    /// Begins the next write when its time has come.
    pub(crate) fn start_if_due(&mut self, now: Instant) {
        if now >= self.due || self.bytes >= ENOUGH {
            self.start(now);
        }
    }

    /// Begins the next write, or a look at the log when nothing waits; does nothing while one is under way.
    pub(crate) fn start(&mut self, now: Instant) {
        let Some(mut own) = self.own.take() else { return };
        self.due = now + EVERY;
        let (app, runs, thinking_ms) = (self.app.clone(), self.next_record(), self.thinking_ms);
        let write = async move {
            let written = if runs.is_empty() {
                look(&app, &mut own).await
            } else {
                record_chunks(&app, &mut own, Chunks { runs, carried: false, thinking_ms })
                    .await
                    .inspect(|()| meters::recorded())
            };
            (own, written)
        };
        self.write = Some(write.boxed());
    }

    /// Waits for the write under way; for ever when there is none. Cancel-safe: the write itself goes on here.
    ///
    /// # Errors
    /// Those of [`record_chunks`]; what was to be recorded is lost then.
    pub(crate) async fn done(&mut self) -> Result<(), CommandError> {
        let Some(write) = &mut self.write else { return std::future::pending().await };
        let (own, written) = write.await;
        (self.own, self.write) = (Some(own), None);
        written
    }

    /// Whether a wish to stop was found at the last write.
    pub(crate) fn cancel_requested(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.cancel_requested())
    }

    /// The last delta recorded; `None` while a write is under way.
    pub(crate) fn last_recorded(&self) -> Option<Seq> {
        self.own.as_ref().map(|own| own.last_seq())
    }

    /// Records everything that waits. Cancel-safe: what is not recorded yet waits on.
    ///
    /// # Errors
    /// Those of [`record_chunks`].
    pub(crate) async fn record_all(&mut self) -> Result<(), CommandError> {
        while self.write.is_some() || !self.waiting.is_empty() {
            self.start(Instant::now());
            self.done().await?;
        }
        Ok(())
    }

    /// The ownership; `None` while a write is under way.
    pub(crate) fn into_own(self) -> Option<Box<Ownership>> {
        self.own
    }

    /// What the next record takes of what waits.
    fn next_record(&mut self) -> Vec<Run> {
        let runs = merged(std::mem::take(&mut self.waiting));
        let (record, rest) = cut(runs);
        self.bytes = rest.iter().map(|run| run.text.len()).sum();
        self.waiting = rest;
        record
    }
}

/// A look at the log. One that does not answer has nothing to tell: the reply goes on, and what it says is recorded when
/// the log is back.
async fn look(app: &Commands, own: &mut Ownership) -> Result<(), CommandError> {
    match own.refresh(app).await {
        Err(CommandError::Unavailable(error)) => {
            tracing::warn!(%error, "an owner cannot look at the log");
            Ok(())
        }
        looked => looked,
    }
}

/// The runs that fit into one record, and the rest.
pub(crate) fn cut(runs: Vec<Run>) -> (Vec<Run>, Vec<Run>) {
    let (mut record, mut rest) = (Vec::new(), Vec::new());
    let (mut bytes, mut deltas) = (0, 0);
    for run in runs {
        if !rest.is_empty() {
            rest.push(run);
            continue;
        }
        let room = MOST_BYTES.saturating_sub(bytes);
        let fits = run.ends.partition_point(|end| *end as usize <= room).min(MOST_DELTAS - deltas);
        // A first delta always fits: a delta is never longer than a record.
        let fits = if record.is_empty() { fits.max(1) } else { fits };
        if fits == 0 {
            rest.push(run);
            continue;
        }
        let last = Seq(run.from.0 + fits as u64 - 1);
        rest.extend(run.clone().after(last));
        record.extend(run.up_to(last));
        bytes = record.iter().map(|run: &Run| run.text.len()).sum();
        deltas = record.iter().map(|run: &Run| run.ends.len()).sum();
    }
    (record, rest)
}

#[cfg(test)]
mod tests {
    use slipstream_domain::Part;

    use super::*;

    fn run(from: u64, part: Part, deltas: u64, size: usize) -> Run {
        let size_u64 = size as u64;
        let deltas = (0..deltas).map(|n| Run::delta(Seq(from + n), part, n * size_u64, "x".repeat(size)));
        merged(deltas).pop().unwrap()
    }

    #[test]
    fn records_are_bounded_in_bytes_and_deltas_and_together_are_everything() {
        for runs in [
            vec![run(1, Part::Text, 3, 4)],
            vec![run(1, Part::Text, 20, 16 * 1024)],
            vec![
                run(1, Part::Thinking, 3, 1000),
                run(4, Part::Text, 30_000, 1),
                run(30_004, Part::Thinking, 1, 9),
            ],
        ] {
            let (mut records, mut left) = (Vec::new(), runs.clone());
            while !left.is_empty() {
                let (record, rest) = cut(left);
                assert!(record.iter().map(|run| run.text.len()).sum::<usize>() <= MOST_BYTES);
                assert!(record.iter().map(|run| run.ends.len()).sum::<usize>() <= MOST_DELTAS);
                records.extend(record);
                left = rest;
            }
            assert_eq!(merged(records), runs);
        }
    }

    #[test]
    fn what_fits_is_not_cut() {
        let runs = vec![run(1, Part::Thinking, 3, 4), run(4, Part::Text, 3, 4)];
        assert_eq!(cut(runs.clone()), (runs, Vec::new()));
    }
}
