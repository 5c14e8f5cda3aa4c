//! Events as they are read. Types only.

use std::{fmt, ops::Deref, sync::Arc};

use time::OffsetDateTime;

use crate::{Category, CommandId, CorrelationId, OwnerId, Position, StreamId, Version};

/// An event's name in the stored format. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Takes any name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl Deref for EventType {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A recorded event. The envelope is always readable; what it carries may not be, and that is a matter of
/// this event alone: one bad event never fails the page it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub version: Version,
    /// The stream's kind.
    pub category: Category,
    /// Whose key seals it.
    pub owner: Option<OwnerId>,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// The event that led to it.
    pub causation: Option<Position>,
    /// Its name.
    pub event_type: EventType,
    /// The version `payload` is in: the current one after upcasting, the stored one if it could not be read.
    pub schema_version: u16,
    /// When it was recorded; all events of a batch share this.
    pub recorded_at: OffsetDateTime,
    /// The append it was written by.
    pub command_id: CommandId,
    /// What it carries. A projector parks the correlation of an event it cannot read; a command refuses.
    pub payload: Result<Payload, DecodeFault>,
}

/// What is known of an event without reading what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Its place in the global order.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub version: Version,
    /// The stream's kind.
    pub category: Category,
    /// Whose key seals it.
    pub owner: Option<OwnerId>,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// Its name.
    pub event_type: String,
}

/// Both halves of an event, upcast to the version this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The clear half, the text of a JSON object (its keys in no promised order).
    pub data: String,
    /// The personal half, if the event has one.
    pub sealed: Option<Unsealed>,
}

/// The personal half of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsealed {
    /// The bytes that were handed to the log.
    Open(Vec<u8>),
    /// The key is destroyed or the bytes have been removed: nobody can read them again.
    Erased,
}

/// Why one event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFault {
    /// It was written by a newer program.
    #[error("{event_type} is stored in version {version}; this program knows {known}")]
    NewerSchema {
        /// The event's name.
        event_type: EventType,
        /// The version it is stored in.
        version: u16,
        /// The newest version this program knows.
        known: u16,
    },
    /// Its sealed half is not what was written (the cipher refused it).
    #[error("the sealed half has been altered")]
    Forged,
    /// Its sealed half is authentic but cannot be unpacked, or is no JSON where an upcaster needs it.
    #[error("the sealed half is malformed")]
    Malformed,
}
