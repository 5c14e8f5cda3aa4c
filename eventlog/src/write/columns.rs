//! The arguments and the rows of `es.append_batch`: a batch turned into arrays that run in parallel.

use std::sync::Arc;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Verdict;
use crate::{
    OwnerId, Position, StreamId, Version,
    codec::{Hash, MerkleTree},
    encode::{Encoded, EncodedEvent, Slot},
};

/// What the function says of one append; see `es.outcome`.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) append: i32,
    pub(super) code: i16,
    first_position: Option<i64>,
    events: Option<i32>,
    recorded_at: Option<OffsetDateTime>,
    stream_id: Option<Uuid>,
    version: Option<i64>,
}

impl Outcome {
    /// None if the row is not one the function makes.
    pub(super) fn verdict(self) -> Option<Verdict> {
        let stream = self.stream_id.map(StreamId::from_uuid);
        match self.code {
            0 => Some(Verdict::Written {
                first: Position::new(self.first_position?),
                recorded_at: self.recorded_at?,
            }),
            1 => Some(Verdict::Known {
                first: Position::new(self.first_position?),
                last: Position::new(self.first_position? + i64::from(self.events?) - 1),
                recorded_at: self.recorded_at?,
            }),
            2 => Some(Verdict::Closed(stream?)),
            3 => Some(Verdict::OtherCategory(stream?)),
            4 => Some(Verdict::Conflict { stream: stream?, actual: Version::new(self.version?) }),
            _ => None,
        }
    }
}

/// The arguments of `es.append_batch`, named as there.
#[derive(Default)]
pub(super) struct Columns<'a> {
    whole_root: Hash,
    append_command: Vec<Uuid>,
    append_call: Vec<Uuid>,
    append_slot: Vec<i32>,
    append_events: Vec<i64>,
    slot_append: Vec<i32>,
    slot_stream: Vec<Uuid>,
    slot_category: Vec<i16>,
    slot_owner: Vec<Option<Uuid>>,
    slot_expected: Vec<i64>,
    slot_events: Vec<i64>,
    slot_close: Vec<bool>,
    guard_append: Vec<i32>,
    guard_stream: Vec<Uuid>,
    guard_version: Vec<i64>,
    event_slot: Vec<i32>,
    event_version: Vec<i64>,
    event_causation: Vec<Option<i64>>,
    event_stream: Vec<Uuid>,
    event_command: Vec<Uuid>,
    event_correlation: Vec<Uuid>,
    event_owner: Vec<Option<Uuid>>,
    event_key: Vec<Option<Uuid>>,
    event_index: Vec<i16>,
    event_category: Vec<i16>,
    event_schema: Vec<i16>,
    event_type: Vec<&'a str>,
    event_hash: Vec<&'a [u8]>,
    event_sealed_hash: Vec<Option<&'a [u8]>>,
    event_data: Vec<&'a str>,
    event_sealed: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: &'a [Arc<Encoded>]) -> Self {
        let mut columns = Self::default();
        let mut tree = MerkleTree::default();
        let mut slot_number = 0;
        for (append, append_number) in batch.iter().zip(1..) {
            columns.append_command.push(append.command_id.as_uuid());
            columns.append_call.push(append.call);
            columns.append_slot.push(slot_number + 1);
            columns.append_events.push(append.slots.iter().map(count).sum());
            for slot in &append.slots {
                slot_number += 1;
                columns.push_slot(slot, append_number);
                for event in &slot.events {
                    columns.push_event(append, slot, slot_number, event);
                    tree.push(event.hash);
                }
            }
            for guard in &append.guards {
                columns.guard_append.push(append_number);
                columns.guard_stream.push(guard.stream.as_uuid());
                columns.guard_version.push(guard.version.get());
            }
        }
        columns.whole_root = tree.root().unwrap_or_default();
        columns
    }

    fn push_slot(&mut self, slot: &Slot, append_number: i32) {
        self.slot_append.push(append_number);
        self.slot_stream.push(slot.stream.as_uuid());
        self.slot_category.push(slot.category.0);
        self.slot_owner.push(slot.owner.map(OwnerId::as_uuid));
        self.slot_expected.push(slot.expected.get());
        self.slot_events.push(count(slot));
        self.slot_close.push(slot.close);
    }

    fn push_event(&mut self, append: &Encoded, slot: &Slot, slot_number: i32, event: &'a EncodedEvent) {
        let sealed = event.sealed.as_ref();
        self.event_slot.push(slot_number);
        self.event_version.push(event.version.get());
        self.event_causation.push(slot.causation.map(Position::get));
        self.event_stream.push(slot.stream.as_uuid());
        self.event_command.push(append.command_id.as_uuid());
        self.event_correlation.push(slot.correlation.as_uuid());
        self.event_owner.push(slot.owner.map(OwnerId::as_uuid));
        self.event_key.push(sealed.map(|sealed| sealed.key_id));
        self.event_index.push(event.index);
        self.event_category.push(slot.category.0);
        self.event_schema.push(event.schema_version);
        self.event_type.push(event.event_type);
        self.event_hash.push(&event.hash);
        self.event_sealed_hash.push(sealed.map(|sealed| &sealed.hash[..]));
        self.event_data.push(&event.data);
        self.event_sealed.push(sealed.map(|sealed| &sealed.bytes[..]));
    }

    /// `as _` where the macro would ask for owned or not-null elements.
    pub(super) async fn append_batch(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        sqlx::query_as!(
            Outcome,
            r#"SELECT append AS "append!", outcome AS "code!", first_position, events, recorded_at, stream_id, version
               FROM es.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                    $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)"#,
            &self.whole_root[..],
            &self.append_command,
            &self.append_call,
            &self.append_slot,
            &self.append_events,
            &self.slot_append,
            &self.slot_stream,
            &self.slot_category,
            &self.slot_owner as _,
            &self.slot_expected,
            &self.slot_events,
            &self.slot_close,
            &self.guard_append,
            &self.guard_stream,
            &self.guard_version,
            &self.event_slot,
            &self.event_version,
            &self.event_causation as _,
            &self.event_stream,
            &self.event_command,
            &self.event_correlation,
            &self.event_owner as _,
            &self.event_key as _,
            &self.event_index,
            &self.event_category,
            &self.event_schema,
            &self.event_type as _,
            &self.event_hash as _,
            &self.event_sealed_hash as _,
            &self.event_data as _,
            &self.event_sealed as _,
        )
        .fetch_all(connection)
        .await
    }
}

fn count(slot: &Slot) -> i64 {
    slot.version().get() - slot.expected.get()
}
