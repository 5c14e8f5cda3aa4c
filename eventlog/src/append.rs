//! What a caller hands to the log and what the log answers. Types only.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::{Category, CommandId, CorrelationId, KeyRingUnavailable, OwnerId, Position, StreamId, Version};

/// An event to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its name in the stored format.
    pub event_type: &'static str,
    /// The version of that format, from 1.
    pub schema_version: u16,
    /// The clear half: the text of a JSON object. The log stores and hashes its canonical form (RFC 8785).
    pub data: String,
    /// The personal half: JSON as bytes, in the clear. The log compresses it (above 1 KiB) and has it sealed
    /// by the key ring.
    pub sealed: Option<Vec<u8>>,
}

/// What the caller believes about a stream it appends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It does not exist yet.
    NoStream,
    /// It is at this version. `Exact(Version::NONE)` means the same as `NoStream`.
    Exact(Version),
}

impl Expected {
    /// The version the stream must have.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Self::NoStream => Version::NONE,
            Self::Exact(version) => version,
        }
    }
}

/// The events of one append that go to one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream they go to.
    pub stream: StreamId,
    /// Its kind. An existing stream must be of the same.
    pub category: Category,
    /// Whose key seals the events; none for the system's own.
    pub owner: Option<OwnerId>,
    /// What the events belong to.
    pub correlation: CorrelationId,
    /// The event that led to these, if one did.
    pub causation: Option<Position>,
    /// What the stream must look like for the append to be written.
    pub expected: Expected,
    /// At least one event, in order.
    pub events: Vec<NewEvent>,
    /// Whether these are the stream's last events: a closed stream takes no more.
    pub close: bool,
}

/// A stream the append does not touch but depends on: it must still be at this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The stream.
    pub stream: StreamId,
    /// Its version when the caller decided; `Version::NONE` if it must not exist.
    pub version: Version,
}

/// Events for one or more streams, written all or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// At least one; each stream once.
    pub streams: Vec<StreamAppend>,
    /// The identity of this append: a second one with the same id, within seven days, writes nothing.
    pub command_id: CommandId,
    /// Streams that must not have moved. None of them may be among `streams`.
    pub guards: Vec<Guard>,
}

/// Where an append stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its first event.
    pub first: Position,
    /// Its last event; those between are its own.
    pub last: Position,
    /// The version each of its streams has after it, in the order the events were written.
    pub versions: Vec<(StreamId, Version)>,
    /// When it was recorded, by the database's clock, in whole microseconds; later batches are later.
    pub recorded_at: OffsetDateTime,
}

/// Why an append was not written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A stream or a guard is not where the append expected it. Load, decide and try again.
    #[error("stream {stream} is at version {actual}")]
    Conflict {
        /// The stream that has moved.
        stream: StreamId,
        /// Where it is.
        actual: Version,
    },
    /// The command was recorded before. Nothing is written now; this is what was written then.
    #[error("the command was recorded before, at position {}", .0.first)]
    Duplicate(Appended),
    /// The stream has ended.
    #[error("stream {stream} is closed")]
    Closed {
        /// The stream.
        stream: StreamId,
    },
    /// The owner's key is destroyed: nothing can be sealed for them any more.
    #[error("the key of owner {0} is destroyed")]
    Erased(OwnerId),
    /// The append itself is wrong; no repetition will help.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
    /// Something the log needs did not answer. The append **may have been written**: ask
    /// [`EventLog::command`](crate::EventLog::command), or repeat it with the same command id.
    #[error("the event log is unavailable")]
    Unavailable(#[from] Unavailable),
}

/// What is wrong with an append. `stream` and `event` count from 0 within the append and the stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAppend {
    /// It names no stream.
    #[error("an append needs at least one stream")]
    NoStreams,
    /// A stream of it has no events.
    #[error("stream {0} is given no events")]
    NoEvents(StreamId),
    /// A stream appears twice among `streams`.
    #[error("stream {0} appears twice in one append")]
    DuplicateStream(StreamId),
    /// A guard names a stream the append writes; its `expected` says that already.
    #[error("stream {0} is guarded and written by the same append")]
    GuardedAndWritten(StreamId),
    /// The stream exists and is of another category.
    #[error("stream {0} is of another category")]
    OtherCategory(StreamId),
    /// A schema version outside 1 … 32767.
    #[error("stream {stream}, event {event}: schema version must be 1 to 32767")]
    SchemaVersion {
        /// Which stream.
        stream: usize,
        /// Which event of it.
        event: usize,
    },
    /// `data` is not the text of a JSON object that can be stored and hashed.
    #[error("stream {stream}, event {event}: data {fault}")]
    Data {
        /// Which stream.
        stream: usize,
        /// Which event of it.
        event: usize,
        /// What is wrong with it.
        fault: DataFault,
    },
    /// All events together, with [`EVENT_OVERHEAD`](crate::EVENT_OVERHEAD) for each, are over
    /// [`MAX_APPEND_BYTES`](crate::MAX_APPEND_BYTES).
    #[error("the append holds {bytes} bytes; at most 1048576 are allowed")]
    TooLarge {
        /// What they come to.
        bytes: usize,
    },
    /// The database refused the data (SQLSTATE class 22 or 23).
    #[error("the database refused the append with SQLSTATE {sqlstate}")]
    Refused {
        /// Its five-character code.
        sqlstate: String,
    },
}

/// Why a text cannot be an event's `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataFault {
    /// It does not parse.
    #[error("is not JSON")]
    NotJson,
    /// It is JSON, but not an object.
    #[error("is not a JSON object")]
    NotAnObject,
    /// A string in it holds U+0000, which PostgreSQL cannot store.
    #[error("holds U+0000")]
    Nul,
    /// A whole number in it is beyond ±2^53, where JSON numbers stop being exact.
    #[error("holds a whole number beyond 2^53")]
    BigInteger,
}

/// What did not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// PostgreSQL; the cause is shared by all appends of the batch.
    #[error("the database failed the batch")]
    Database(#[source] Arc<sqlx::Error>),
    /// The key ring.
    #[error(transparent)]
    KeyRing(#[from] KeyRingUnavailable),
    /// The log has been told to stop and takes no more appends.
    #[error("the event log is stopping")]
    Stopping,
}
