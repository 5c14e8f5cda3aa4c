//! From stored envelopes to the domain's events. An event that cannot be read never hides the others.

use slipstream_domain::{Event, Meta, Sealed, Timestamp, UserId};
use slipstream_eventlog::{Position, Recorded, Unsealed};
use time::OffsetDateTime;
use uuid::Uuid;

/// A recorded event with its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// Its place in the global order.
    pub position: Position,
    /// The aggregate it belongs to.
    pub stream: Uuid,
    /// Its place in that stream, from 1.
    pub version: i64,
    /// What it belongs to: the conversation's id for all of a conversation and its generations.
    pub correlation: Uuid,
    /// What happened.
    pub event: Event,
    /// Whose it is and when it was recorded.
    pub meta: Meta,
}

/// An event that this program cannot read: of a newer schema version, forged, or malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {position} cannot be read: {why}")]
pub struct Unreadable {
    /// Its place in the global order.
    pub position: Position,
    /// What it belongs to.
    pub correlation: Uuid,
    /// Why; holds no content.
    pub why: String,
}

/// The event in an envelope.
///
/// # Errors
/// This program cannot read it.
pub fn decode(recorded: &Recorded) -> Result<Followed, Unreadable> {
    let correlation = recorded.correlation.as_uuid();
    let unreadable = |why: String| Unreadable { position: recorded.position, correlation, why };
    let payload = recorded.payload.as_ref().map_err(|fault| unreadable(fault.to_string()))?;
    let sealed = payload.sealed.as_ref().map(|half| match half {
        Unsealed::Open(bytes) => Sealed::Open(bytes.as_slice()),
        Unsealed::Erased => Sealed::Erased,
    });
    let event = Event::decode(&recorded.event_type, &payload.data, sealed)
        .map_err(|error| unreadable(error.to_string()))?;
    let owner = recorded.owner.map(|owner| UserId::from_uuid(owner.as_uuid()));
    Ok(Followed {
        position: recorded.position,
        stream: recorded.stream.as_uuid(),
        version: recorded.version.get(),
        correlation,
        event,
        meta: Meta { owner, at: timestamp(recorded.recorded_at) },
    })
}

/// The database's time as the domain's.
pub(crate) fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp::from_micros(i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX))
}

/// The domain's time as the database's.
pub(crate) fn instant(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::microseconds(at.micros()))
}
