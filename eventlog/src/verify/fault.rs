//! What can be wrong with a log, each with its place.

use crate::{Position, StreamId};

/// Something wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Batches are missing.
    #[error("batches {first} to {last} are missing")]
    BatchesMissing {
        /// The first of them.
        first: i64,
        /// The last of them.
        last: i64,
    },
    /// A batch does not begin where the one before ends, or ends before it begins.
    #[error("batch {batch_no} holds positions {first} to {last}; it should begin at {expected}")]
    BatchRange {
        /// The batch.
        batch_no: i64,
        /// Where it should begin.
        expected: Position,
        /// Where it begins.
        first: Position,
        /// Where it ends.
        last: Position,
    },
    /// A batch was not recorded after the one before.
    #[error("batch {batch_no} is not later than the one before")]
    BatchTime {
        /// The batch.
        batch_no: i64,
    },
    /// The events of a batch are not those it was made of, or not in their order.
    #[error("the root of batch {batch_no} does not match its events")]
    BatchRoot {
        /// The batch.
        batch_no: i64,
    },
    /// The chain breaks: this batch or the one before is not what was recorded.
    #[error("the chain breaks at batch {batch_no}")]
    BatchChain {
        /// The batch.
        batch_no: i64,
    },
    /// Events are missing from their batch.
    #[error("events {first} to {last} are missing")]
    EventsMissing {
        /// The first of them.
        first: Position,
        /// The last of them.
        last: Position,
    },
    /// Events stand in no batch.
    #[error("events {first} to {last} belong to no batch")]
    EventsUnbatched {
        /// The first of them.
        first: Position,
        /// The last of them.
        last: Position,
    },
    /// An event's content or envelope is not what its hash was made of.
    #[error("event {position} of stream {stream} has been altered")]
    EventAltered {
        /// The event.
        position: Position,
        /// The stream it says it is of.
        stream: StreamId,
    },
    /// An event's time is not that of its batch.
    #[error("event {position} is dated otherwise than its batch")]
    EventTime {
        /// The event.
        position: Position,
    },
    /// An event's index within its append is wrong; its sealed half cannot be opened.
    #[error("event {position} has a wrong index in its append")]
    EventIndex {
        /// The event.
        position: Position,
    },
    /// The sealed bytes are not those that were recorded.
    #[error("the sealed half of event {position} has been altered")]
    SealedAltered {
        /// The event.
        position: Position,
    },
    /// Something is wrong with a stream as a whole.
    #[error("stream {stream}: {fault}")]
    Stream {
        /// The stream.
        stream: StreamId,
        /// What.
        fault: StreamFault,
    },
    /// The log ends before a batch that was signed.
    #[error("the log ends at batch {head}, but batch {signed} was signed")]
    TailRemoved {
        /// The signed batch.
        signed: i64,
        /// The newest batch there is.
        head: i64,
    },
    /// The log is consistent but is not the one that was signed.
    #[error("the chain at batch {batch_no} is not the signed one")]
    HistoryReplaced {
        /// The signed batch.
        batch_no: i64,
    },
}

/// Something wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// `es.stream` knows it, but it has no events.
    #[error("it is registered but has no events")]
    NoEvents,
    /// It has events, but `es.stream` does not know it.
    #[error("it has events but is not registered")]
    NotRegistered,
    /// Its versions are not 1, 2, 3 …, each once.
    #[error("its versions are not gapless from 1, or repeat")]
    Versions,
    /// `es.stream` does not agree with its events.
    #[error("its registration disagrees with its events")]
    Registration,
}

/// Collects faults in bounded memory.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) first: Vec<Fault>,
    pub(super) more: u64,
}

impl Faults {
    const KEPT: usize = 1000;

    pub(super) fn add(&mut self, fault: Fault) {
        if self.first.len() < Self::KEPT {
            self.first.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Those that were found after these.
    pub(super) fn append(&mut self, other: Self) {
        for fault in other.first {
            self.add(fault);
        }
        self.more += other.more;
    }

    pub(super) fn add_if(&mut self, wrong: bool, fault: Fault) {
        if wrong {
            self.add(fault);
        }
    }
}
