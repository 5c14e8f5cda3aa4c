//! Proves the log: walks its batches and its events and says what is wrong and where.
//!
//! Streams through the log in bounded memory, beside running appends: what is judged is the log up to the
//! head at the start. An insider who rewrites everything consistently is found only by a head that was
//! signed and kept elsewhere.

mod batches;
mod fault;
mod plan;
mod streams;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use fault::{Fault, StreamFault};
pub(crate) use plan::batch_of;

use crate::{CorrelationId, EventLog, Head, Position, ReadError};
use batches::{Walk, Walked};
use fault::Faults;
use plan::Plan;

/// A head of the log that is known to be true, because its signature was kept outside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The batch that was the newest when it was signed.
    pub batch_no: i64,
    /// The chain at that batch.
    pub chain: [u8; 32],
}

/// Whose events are checked. The links of all batches are, whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All of them, and that streams are whole.
    #[default]
    Whole,
    /// Those of the batches that hold these positions, both included.
    Positions(Position, Position),
    /// Those of the batches that hold a correlation's, and that its streams are whole.
    Correlation(CorrelationId),
}

/// What to verify, and how.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Which part of the log.
    pub part: Part,
    /// Heads that it must have led to.
    pub signed: Vec<SignedHead>,
    /// Where to check several stretches of the log at once, and how many; `None`: one after the other, here.
    pub beside: Option<(TaskTracker, NonZeroUsize)>,
}

/// How far a verification has come; told about every 5000 events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Events that are checked.
    pub events: u64,
    /// Events that are to be checked.
    pub of: u64,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many events were checked.
    pub events: u64,
    /// How many batches were checked, with their events or only their links.
    pub batches: u64,
    /// The head when the verification began.
    pub head: Head,
    /// The first 1000 faults, those of events and batches in log order, then those of streams.
    pub faults: Vec<Fault>,
    /// How many more there were.
    pub more: u64,
}

impl VerifyReport {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

impl EventLog {
    /// Checks the log: batches follow each other and their chain, root and times agree; every event is there, in
    /// its batch, and hashes to what was recorded; sealed bytes, where present, are the recorded ones; streams
    /// count their versions 1, 2, 3 … across partitions and `es.stream` agrees with them; what was signed is still
    /// there. Cancel-safe: what runs beside ends when this is dropped.
    ///
    /// # Errors
    /// The database does not answer. A fault of the log is not an error but part of the report.
    pub async fn verify(
        &self,
        what: Verification,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<VerifyReport, ReadError> {
        let head = self.head().await?;
        let mut faults = Faults::default();
        for signed in what.signed.iter().filter(|signed| signed.batch_no > head.batch_no) {
            faults.add(Fault::TailRemoved { signed: signed.batch_no, head: head.batch_no });
        }
        let plan = Plan::of(self.pool(), what.part, &head).await?;
        let told = told(plan.events, progress);
        let signed: Arc<[SignedHead]> = what.signed.into();
        let walks = plan
            .segments
            .into_iter()
            .map(|segment| Walk::new(self.pool().clone(), signed.clone(), segment, told.clone()).run());
        let walked: Vec<Walked> = match what.beside {
            None => stream::iter(walks).then(|walk| walk).try_collect().await?,
            Some((tasks, workers)) => {
                let stop = CancellationToken::new();
                let _stops = stop.clone().drop_guard();
                let spawned = walks.map(|walk| tasks.spawn(stop.clone().run_until_cancelled_owned(walk)));
                let joined = stream::iter(spawned).buffered(workers.get());
                // Neither can be: nothing stops it before this ends, and it does not panic.
                let broken = || sqlx::Error::WorkerCrashed;
                joined.map(|walk| walk.ok().flatten().ok_or_else(broken)?).try_collect().await?
            }
        };
        let (events, batches) = walked.into_iter().fold((0, 0), |(events, batches), walked| {
            faults.append(walked.faults);
            (events + walked.events, batches + walked.batches)
        });
        match what.part {
            Part::Whole => {
                if let Some((first, last)) = streams::unbatched_tail(self.pool()).await? {
                    faults.add(Fault::EventsUnbatched { first, last });
                }
                streams::check(self.pool(), None, &mut faults).await?;
            }
            Part::Correlation(correlation) => {
                streams::check(self.pool(), Some(correlation), &mut faults).await?;
            }
            Part::Positions(..) => {}
        }
        Ok(VerifyReport { events, batches, head, faults: faults.first, more: faults.more })
    }

    /// Checks the newest `batches` against the one before them, and nothing of the streams as wholes: a quick look
    /// that finds what is wrong at the end of the log, and says nothing of the rest.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn verify_newest(&self, batches: u32) -> Result<VerifyReport, ReadError> {
        let head = self.head().await?;
        let mut faults = Faults::default();
        let newest = plan::newest(&head, batches);
        let walked = Walk::new(self.pool().clone(), Arc::new([]), newest, Arc::new(|_| {})).run().await?;
        faults.append(walked.faults);
        if let Some((first, last)) = streams::unbatched_tail(self.pool()).await? {
            faults.add(Fault::EventsUnbatched { first, last });
        }
        let (events, batches) = (walked.events, walked.batches);
        Ok(VerifyReport { events, batches, head, faults: faults.first, more: faults.more })
    }
}

/// Says of how many more events are checked how many those are in all.
fn told(of: u64, progress: impl Fn(Progress) + Send + Sync + 'static) -> Arc<dyn Fn(u64) + Send + Sync> {
    let checked = AtomicU64::new(0);
    Arc::new(move |more| {
        let events = checked.fetch_add(more, Ordering::Relaxed) + more;
        progress(Progress { events, of });
    })
}
