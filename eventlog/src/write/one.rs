//! The arguments of `es.append_one`: what a log with one writer sends, one append with one event.

use sqlx::PgConnection;

use super::answer::{Answer, Outcome};
use crate::{
    OwnerId, Position,
    encode::{Encoded, EncodedEvent, Slot},
};

/// An append of one event, without guards.
#[derive(Clone, Copy)]
pub(super) struct One<'a> {
    append: &'a Encoded,
    slot: &'a Slot,
    event: &'a EncodedEvent,
}

impl<'a> One<'a> {
    /// None if the append is more than that.
    pub(super) fn of(append: &'a Encoded) -> Option<Self> {
        let ([slot], []) = (&append.slots[..], &append.guards[..]) else { return None };
        let [event] = &slot.events[..] else { return None };
        Some(Self { append, slot, event })
    }

    pub(super) async fn append(self, connection: &mut PgConnection) -> Result<Answer, sqlx::Error> {
        let Self { append, slot, event } = self;
        let sealed = event.sealed.as_ref();
        let outcomes = sqlx::query_as!(
            Outcome,
            r#"SELECT append AS "append!", outcome AS "code!", first_position, events, recorded_at, stream_id, version
               FROM es.append_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#,
            append.command_id.as_uuid(),
            append.call,
            slot.stream.as_uuid(),
            slot.category.0,
            slot.owner.map(OwnerId::as_uuid) as _,
            slot.correlation.as_uuid(),
            slot.causation.map(Position::get) as _,
            slot.expected.get(),
            slot.close,
            event.schema_version,
            event.event_type,
            sealed.map(|sealed| sealed.key_id) as _,
            &event.hash[..],
            sealed.map(|sealed| &sealed.hash[..]) as _,
            &event.data,
            sealed.map(|sealed| &sealed.bytes[..]) as _,
        )
        .fetch_all(connection)
        .await?;
        Answer::of(outcomes, 1)
    }
}
