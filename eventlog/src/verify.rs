//! Proves the log: walks every batch and every event and says what is wrong and where.
//!
//! Streams through the log in bounded memory, beside running appends: what is judged is the log up to the
//! head at the start. An insider who rewrites everything consistently is found only by a head that was
//! signed and kept elsewhere.

mod batches;
mod fault;
mod streams;

pub use fault::{Fault, StreamFault};

use crate::{EventLog, Head, Position, ReadError};
use fault::Faults;

/// A head of the log that is known to be true, because its signature was kept outside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The batch that was the newest when it was signed.
    pub batch_no: i64,
    /// The chain at that batch.
    pub chain: [u8; 32],
}

/// How far a verification has come; told about every 5000 events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to and with this is checked.
    pub position: Position,
    /// Where it ends.
    pub head: Position,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many events were checked.
    pub events: u64,
    /// How many batches were checked.
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
    /// Checks the whole log: batches follow each other and their chain, root and times agree; every event is
    /// there, in its batch, and hashes to what was recorded; sealed bytes, where present, are the recorded
    /// ones; streams count their versions 1, 2, 3 … across partitions and `es.stream` agrees with them. With
    /// a signed head also that nothing up to it was removed or replaced.
    ///
    /// # Errors
    /// The database does not answer. A fault of the log is not an error but part of the report.
    pub async fn verify(
        &self,
        signed: Option<SignedHead>,
        mut progress: impl FnMut(Progress),
    ) -> Result<VerifyReport, ReadError> {
        let head = self.head().await?;
        let mut faults = Faults::default();
        if let Some(signed) = signed.filter(|signed| signed.batch_no > head.batch_no) {
            faults.add(Fault::TailRemoved { signed: signed.batch_no, head: head.batch_no });
        }
        let walk = batches::Walk::new(self.pool(), signed, &head);
        let (events, batches) = walk.run(&mut faults, &mut progress).await?;
        streams::check(self.pool(), &mut faults).await?;
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
        let walk = batches::Walk::new(self.pool(), None, &head).over_newest(batches).await?;
        let (events, batches) = walk.run(&mut faults, &mut |_| {}).await?;
        Ok(VerifyReport { events, batches, head, faults: faults.first, more: faults.more })
    }
}
