//! The arguments of `es.append_batch`: a batch turned into arrays that run in parallel.

use sqlx::PgConnection;
use uuid::Uuid;

use super::answer::{Answer, Outcome};
use crate::{
    OwnerId, Position,
    codec::{Hash, MerkleTree},
    encode::{Encoded, EncodedEvent, Slot},
};

/// The arguments of `es.append_batch`, named as there.
#[derive(Default)]
pub(super) struct Columns<'a> {
    root: Hash,
    append_command: Vec<Uuid>,
    append_call: Vec<Uuid>,
    append_offset: Vec<i32>,
    append_events: Vec<i32>,
    slot_append: Vec<i32>,
    slot_offset: Vec<i32>,
    slot_events: Vec<i32>,
    slot_stream: Vec<Uuid>,
    slot_category: Vec<i16>,
    slot_owner: Vec<Option<Uuid>>,
    slot_correlation: Vec<Uuid>,
    slot_causation: Vec<Option<i64>>,
    slot_expected: Vec<i64>,
    slot_close: Vec<bool>,
    guard_append: Vec<i32>,
    guard_stream: Vec<Uuid>,
    guard_version: Vec<i64>,
    event_slot: Vec<i32>,
    event_schema: Vec<i16>,
    event_type: Vec<&'a str>,
    event_key: Vec<Option<Uuid>>,
    event_hash: Vec<&'a [u8]>,
    event_sealed_hash: Vec<Option<&'a [u8]>>,
    event_data: Vec<&'a str>,
    event_sealed: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: impl IntoIterator<Item = &'a Encoded>) -> Self {
        let mut columns = Self::default();
        let mut tree = MerkleTree::default();
        let mut offset = 0;
        for (append, number) in batch.into_iter().zip(1..) {
            let begin = offset;
            for slot in &append.slots {
                columns.push_slot(slot, number, offset);
                let slot_number = columns.slot_stream.len();
                for event in &slot.events {
                    columns.push_event(event, count(slot_number));
                    tree.push(event.hash);
                }
                offset += count(slot.events.len());
            }
            columns.append_command.push(append.command_id.as_uuid());
            columns.append_call.push(append.call);
            columns.append_offset.push(begin);
            columns.append_events.push(offset - begin);
            for guard in &append.guards {
                columns.guard_append.push(number);
                columns.guard_stream.push(guard.stream.as_uuid());
                columns.guard_version.push(guard.version.get());
            }
        }
        columns.root = tree.root().unwrap_or_default();
        columns
    }

    fn push_slot(&mut self, slot: &Slot, append: i32, offset: i32) {
        self.slot_append.push(append);
        self.slot_offset.push(offset);
        self.slot_events.push(count(slot.events.len()));
        self.slot_stream.push(slot.stream.as_uuid());
        self.slot_category.push(slot.category.0);
        self.slot_owner.push(slot.owner.map(OwnerId::as_uuid));
        self.slot_correlation.push(slot.correlation.as_uuid());
        self.slot_causation.push(slot.causation.map(Position::get));
        self.slot_expected.push(slot.expected.get());
        self.slot_close.push(slot.close);
    }

    fn push_event(&mut self, event: &'a EncodedEvent, slot: i32) {
        let sealed = event.sealed.as_ref();
        self.event_slot.push(slot);
        self.event_schema.push(event.schema_version);
        self.event_type.push(event.event_type);
        self.event_key.push(sealed.map(|sealed| sealed.key_id));
        self.event_hash.push(&event.hash);
        self.event_sealed_hash.push(sealed.map(|sealed| &sealed.hash[..]));
        self.event_data.push(&event.data);
        self.event_sealed.push(sealed.map(|sealed| &sealed.bytes[..]));
    }

    /// `as _` where the macro would ask for owned or not-null elements.
    pub(super) async fn append_batch(&self, connection: &mut PgConnection) -> Result<Answer, sqlx::Error> {
        let outcomes = sqlx::query_as!(
            Outcome,
            r#"SELECT append AS "append!", outcome AS "code!", first_position, events, recorded_at, stream_id, version
               FROM es.append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                    $19, $20, $21, $22, $23, $24, $25, $26)"#,
            &self.root[..],
            &self.append_command,
            &self.append_call,
            &self.append_offset,
            &self.append_events,
            &self.slot_append,
            &self.slot_offset,
            &self.slot_events,
            &self.slot_stream,
            &self.slot_category,
            &self.slot_owner as _,
            &self.slot_correlation,
            &self.slot_causation as _,
            &self.slot_expected,
            &self.slot_close,
            &self.guard_append,
            &self.guard_stream,
            &self.guard_version,
            &self.event_slot,
            &self.event_schema,
            &self.event_type as _,
            &self.event_key as _,
            &self.event_hash as _,
            &self.event_sealed_hash as _,
            &self.event_data as _,
            &self.event_sealed as _,
        )
        .fetch_all(connection)
        .await?;
        Answer::of(outcomes, count(self.append_command.len()))
    }
}

/// A batch is limited to a mebibyte, so its parts are few.
fn count(parts: usize) -> i32 {
    i32::try_from(parts).unwrap_or(i32::MAX)
}
