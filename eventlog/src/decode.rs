//! From a row of `es.event` to a [`Recorded`]: unseals a whole read at once, unpacks, upcasts. What is wrong
//! with one event stays with that event.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Category, CommandId, CorrelationId, DecodeFault, EventType, Forged, KeyRing, KeyRingUnavailable, OwnerId,
    Payload, Position, Recorded, StreamId, UnsealRequest, Unsealed, Upcasters, Version, codec, upcast,
};

/// What is read of an event; its hashes are for [`verify`](crate::EventLog::verify).
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) position: Position,
    pub(crate) version: Version,
    pub(crate) recorded_at: OffsetDateTime,
    pub(crate) causation_position: Option<Position>,
    pub(crate) stream_id: StreamId,
    pub(crate) command_id: CommandId,
    pub(crate) correlation_id: CorrelationId,
    pub(crate) owner_id: Option<OwnerId>,
    pub(crate) key_id: Option<Uuid>,
    pub(crate) command_index: i16,
    pub(crate) category: Category,
    pub(crate) schema_version: i16,
    pub(crate) event_type: String,
    pub(crate) data: String,
    pub(crate) sealed: Option<Vec<u8>>,
}

/// `query_as!` for event rows: the columns in one place, then what follows `FROM es.event AS e`.
macro_rules! select_events {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            crate::decode::EventRow,
            r#"SELECT e.position AS "position: _", e.version AS "version: _", e.recorded_at,
                      e.causation_position AS "causation_position: _", e.stream_id AS "stream_id: _",
                      e.command_id AS "command_id: _", e.correlation_id AS "correlation_id: _",
                      e.owner_id AS "owner_id: _", e.key_id, e.command_index, e.category AS "category: _",
                      e.schema_version, e.type AS event_type, e.data::text AS "data!", e.sealed
               FROM es.event AS e "# + $rest,
            $($argument),*
        )
    };
}
pub(crate) use select_events;

/// What decoding needs to know.
#[derive(Clone)]
pub(crate) struct Decoder {
    pub(crate) key_ring: Arc<dyn KeyRing>,
    pub(crate) upcasters: Upcasters,
}

impl Decoder {
    pub(crate) async fn decode(&self, mut rows: Vec<EventRow>) -> Result<Vec<Recorded>, KeyRingUnavailable> {
        let requests: Vec<_> = rows.iter_mut().filter_map(unseal_request).collect();
        let asked = requests.len();
        let unsealed = if asked == 0 { Vec::new() } else { self.key_ring.unseal(requests).await? };
        if unsealed.len() != asked {
            return Err(KeyRingUnavailable(format!("it opened {} of {asked} items", unsealed.len())));
        }
        let mut unsealed = unsealed.into_iter();
        Ok(rows.into_iter().map(|row| self.decode_one(row, &mut unsealed)).collect())
    }

    fn decode_one(
        &self,
        row: EventRow,
        unsealed: &mut impl Iterator<Item = Result<Unsealed, Forged>>,
    ) -> Recorded {
        // The ring's answers must be taken in step, whatever else is wrong with the event.
        let sealed = match (row.key_id, &row.sealed) {
            (None, _) => Ok(None),
            (Some(_), None) => Ok(Some(Unsealed::Erased)),
            (Some(_), Some(_)) => unsealed.next().transpose(),
        };
        let event_type = EventType::new(&row.event_type);
        let stored = u16::try_from(row.schema_version).unwrap_or_default();
        let payload = self.payload(&event_type, stored, row.data, sealed);
        Recorded {
            position: row.position,
            stream: row.stream_id,
            version: row.version,
            category: row.category,
            owner: row.owner_id,
            correlation: row.correlation_id,
            causation: row.causation_position,
            schema_version: match &payload {
                Ok((version, _)) => *version,
                Err(_) => stored,
            },
            event_type,
            recorded_at: row.recorded_at,
            command_id: row.command_id,
            payload: payload.map(|(_, payload)| payload),
        }
    }

    /// The payload with the version it is in.
    fn payload(
        &self,
        event_type: &EventType,
        stored: u16,
        data: String,
        sealed: Result<Option<Unsealed>, Forged>,
    ) -> Result<(u16, Payload), DecodeFault> {
        let steps = self.upcasters.pending(event_type, stored)?;
        let sealed = match sealed.map_err(|Forged| DecodeFault::Forged)? {
            Some(Unsealed::Open(packed)) => {
                Some(Unsealed::Open(codec::unpack(packed).ok_or(DecodeFault::Malformed)?))
            }
            other @ (Some(Unsealed::Erased) | None) => other,
        };
        let payload = upcast::upcast(Payload { data, sealed }, steps)?;
        Ok((steps.iter().fold(stored, |version, _| version + 1), payload))
    }
}

/// Moves the sealed bytes out of the row; that there were some stays known.
fn unseal_request(row: &mut EventRow) -> Option<UnsealRequest> {
    let key_id = row.key_id?;
    let bytes = std::mem::take(row.sealed.as_mut()?);
    let aad =
        codec::aad(row.stream_id, &row.event_type, row.schema_version, row.command_id, row.command_index);
    Some(UnsealRequest { owner: row.owner_id, key_id, aad, bytes })
}
