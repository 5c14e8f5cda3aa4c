//! From stored envelopes to the domain's events.

use slipstream_domain::{Event, Meta, Sealed, Timestamp, UserId};
use slipstream_eventlog::{Recorded, Unsealed};
use time::OffsetDateTime;

use crate::CommandError;

/// The event in an envelope, with what rules need of the envelope.
pub(crate) fn decode(recorded: &Recorded) -> Result<(Event, Meta), CommandError> {
    let payload = recorded.payload.as_ref().map_err(Clone::clone)?;
    let sealed = payload.sealed.as_ref().map(|half| match half {
        Unsealed::Open(bytes) => Sealed::Open(bytes.as_slice()),
        Unsealed::Erased => Sealed::Erased,
    });
    let event = Event::decode(&recorded.event_type, &payload.data, sealed)
        .map_err(|error| CommandError::Unreadable(error.to_string()))?;
    let owner = recorded.owner.map(|owner| UserId::from_uuid(owner.as_uuid()));
    Ok((event, Meta { owner, at: timestamp(recorded.recorded_at) }))
}

/// The log's time as the domain's.
pub(crate) fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp::from_micros(i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX))
}
