//! The walk along a stretch of the log: batch after batch, and in each batch event after event.

use std::{collections::VecDeque, sync::Arc};

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    SignedHead,
    fault::{Fault, Faults},
    plan::Segment,
};
use crate::{
    Category, CommandId, CorrelationId, OwnerId, Position, StreamId, Version,
    codec::{self, EventFacts, GENESIS, Hash, MerkleTree},
};

/// Rows a page: some megabytes with ordinary events.
const EVENTS_A_PAGE: i64 = 5_000;
const BATCHES_A_PAGE: i64 = 1_000;

struct BatchRow {
    batch_no: i64,
    first: Position,
    last: Position,
    recorded_at: OffsetDateTime,
    root: Vec<u8>,
    chain: Vec<u8>,
}

struct EventRow {
    position: Position,
    version: Version,
    recorded_at: OffsetDateTime,
    causation: Option<Position>,
    stream: StreamId,
    command: CommandId,
    correlation: CorrelationId,
    owner: Option<OwnerId>,
    key_id: Option<Uuid>,
    command_index: i16,
    category: Category,
    schema_version: i16,
    event_type: String,
    hash: Vec<u8>,
    sealed_hash: Option<Vec<u8>>,
    sealed_is: Option<Vec<u8>>,
    data: String,
}

/// A walk over a stretch of the log.
pub(super) struct Walk {
    pool: PgPool,
    signed: Arc<[SignedHead]>,
    segment: Segment,
    told: Arc<dyn Fn(u64) + Send + Sync>,
    previous: BatchRow,
    /// Where the last batch of the stretch says that it ends.
    end: Position,
    /// Events that are read but not judged.
    ahead: VecDeque<EventRow>,
    /// Everything up to here is read.
    read: Position,
    walked: Walked,
}

/// What a walk has found.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) events: u64,
    pub(super) batches: u64,
    pub(super) faults: Faults,
}

impl Walk {
    /// `told` is said how many more events are judged.
    pub(super) fn new(
        pool: PgPool,
        signed: Arc<[SignedHead]>,
        segment: Segment,
        told: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Self {
        let before_all = BatchRow {
            batch_no: 0,
            first: Position::START,
            last: Position::START,
            recorded_at: OffsetDateTime::UNIX_EPOCH,
            root: Vec::new(),
            chain: GENESIS.to_vec(),
        };
        Self {
            pool,
            signed,
            segment,
            told,
            previous: before_all,
            end: Position::START,
            ahead: VecDeque::new(),
            read: Position::START,
            walked: Walked::default(),
        }
    }

    /// To the end of the stretch. The batch before it is taken for what it says it is: who walks there judges that.
    pub(super) async fn run(mut self) -> Result<Walked, sqlx::Error> {
        if let Some(before) = self.last_up_to(self.segment.after).await? {
            self.read = before.last;
            self.previous = before;
        }
        self.end = self.last_up_to(self.segment.through).await?.map_or(Position::START, |batch| batch.last);
        loop {
            let page = self.batches().await?;
            if page.is_empty() {
                return Ok(self.walked);
            }
            for batch in page {
                self.check_batch(&batch);
                if self.segment.events {
                    self.check_events(&batch).await?;
                }
                self.walked.batches += 1;
                self.previous = batch;
            }
        }
    }

    async fn last_up_to(&self, batch_no: i64) -> Result<Option<BatchRow>, sqlx::Error> {
        let last = sqlx::query_as!(
            BatchRow,
            r#"SELECT batch_no, first_position AS "first: _", last_position AS "last: _", recorded_at, root, chain
               FROM es.batch WHERE batch_no <= $1 ORDER BY batch_no DESC LIMIT 1"#,
            batch_no
        );
        last.fetch_optional(&self.pool).await
    }

    fn check_batch(&mut self, batch: &BatchRow) {
        let (batch_no, previous, faults) = (batch.batch_no, &self.previous, &mut self.walked.faults);
        if batch_no == previous.batch_no + 1 {
            let chain = codec::chain(
                &previous.chain,
                batch_no,
                batch.first,
                batch.last,
                batch.recorded_at,
                &batch.root,
            );
            faults.add_if(chain[..] != batch.chain[..], Fault::BatchChain { batch_no });
            let expected = previous.last.next();
            faults.add_if(
                batch.first != expected || batch.last < batch.first,
                Fault::BatchRange { batch_no, expected, first: batch.first, last: batch.last },
            );
        } else {
            faults.add(Fault::BatchesMissing { first: previous.batch_no + 1, last: batch_no - 1 });
        }
        faults.add_if(batch.recorded_at <= previous.recorded_at, Fault::BatchTime { batch_no });
        for signed in self.signed.iter().filter(|signed| signed.batch_no == batch_no) {
            faults.add_if(signed.chain[..] != batch.chain[..], Fault::HistoryReplaced { batch_no });
        }
    }

    async fn check_events(&mut self, batch: &BatchRow) -> Result<(), sqlx::Error> {
        let mut tree = MerkleTree::default();
        let mut next = batch.first;
        let mut whole = true;
        let mut append = None;
        let mut strays = None;
        while let Some(event) = self.next_event(batch.last).await? {
            self.walked.events += 1;
            let faults = &mut self.walked.faults;
            if event.position < batch.first {
                strays = Some((strays.map_or(event.position, |(first, _)| first), event.position));
                continue;
            }
            whole &= missing(next, event.position, faults);
            next = event.position.next();
            check_event(&event, batch, faults);
            let index = match append {
                Some((command, index)) if command == event.command => index + 1,
                Some(_) | None => 0,
            };
            let wrong_index = whole && event.command_index != index;
            faults.add_if(wrong_index, Fault::EventIndex { position: event.position });
            append = Some((event.command, event.command_index));
            tree.push(event.hash.try_into().unwrap_or(GENESIS));
        }
        let faults = &mut self.walked.faults;
        if let Some((first, last)) = strays {
            faults.add(Fault::EventsUnbatched { first, last });
        }
        whole &= missing(next, batch.last.next(), faults);
        let root = tree.root().unwrap_or(GENESIS);
        faults.add_if(whole && root[..] != batch.root[..], Fault::BatchRoot { batch_no: batch.batch_no });
        Ok(())
    }

    /// The next event up to and with `last`.
    async fn next_event(&mut self, last: Position) -> Result<Option<EventRow>, sqlx::Error> {
        if self.ahead.is_empty() && self.read < last {
            self.ahead = self.events(self.end.max(last)).await?.into();
            (self.told)(self.ahead.len() as u64);
            self.read = match self.ahead.back() {
                Some(event) if i64::try_from(self.ahead.len()) == Ok(EVENTS_A_PAGE) => event.position,
                Some(_) | None => self.end.max(last),
            };
        }
        Ok(self.ahead.pop_front_if(|event| event.position <= last))
    }

    async fn batches(&self) -> Result<Vec<BatchRow>, sqlx::Error> {
        sqlx::query_as!(
            BatchRow,
            r#"SELECT batch_no, first_position AS "first: _", last_position AS "last: _", recorded_at, root, chain
               FROM es.batch WHERE batch_no > $1 AND batch_no <= $2 ORDER BY batch_no LIMIT $3"#,
            self.previous.batch_no,
            self.segment.through,
            BATCHES_A_PAGE
        )
        .fetch_all(&self.pool)
        .await
    }

    async fn events(&self, up_to: Position) -> Result<Vec<EventRow>, sqlx::Error> {
        sqlx::query_as!(
            EventRow,
            r#"SELECT position AS "position: _", version AS "version: _", recorded_at,
                      causation_position AS "causation: _", stream_id AS "stream: _", command_id AS "command: _",
                      correlation_id AS "correlation: _", owner_id AS "owner: _", key_id, command_index,
                      category AS "category: _", schema_version, type AS event_type, hash, sealed_hash,
                      sha256(sealed) AS sealed_is, data::text AS "data!"
               FROM es.event WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"#,
            self.read.get(),
            up_to.get(),
            EVENTS_A_PAGE
        )
        .fetch_all(&self.pool)
        .await
    }
}

/// Whether nothing is missing between `expected` and `found`.
fn missing(expected: Position, found: Position, faults: &mut Faults) -> bool {
    let whole = found <= expected;
    let last = Position::new(found.get() - 1);
    faults.add_if(!whole, Fault::EventsMissing { first: expected, last });
    whole
}

fn check_event(event: &EventRow, batch: &BatchRow, faults: &mut Faults) {
    let position = event.position;
    // What was stored as jsonb came back as another text of the same value.
    let altered = event.hash_of(&event.data)[..] != event.hash[..]
        && codec::canonical_stored(&event.data).is_none_or(|data| event.hash_of(&data)[..] != event.hash[..]);
    faults.add_if(altered, Fault::EventAltered { position, stream: event.stream });
    faults.add_if(event.recorded_at != batch.recorded_at, Fault::EventTime { position });
    let other_bytes = event.sealed_is.is_some() && event.sealed_is != event.sealed_hash;
    faults.add_if(other_bytes, Fault::SealedAltered { position });
}

impl EventRow {
    /// Its hash if `data` is its data.
    fn hash_of(&self, data: &str) -> Hash {
        EventFacts {
            stream: self.stream,
            version: self.version,
            category: self.category,
            owner: self.owner,
            correlation: self.correlation,
            causation: self.causation,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            data,
            key_id: self.key_id,
            sealed_hash: self.sealed_hash.as_deref(),
            command: self.command,
        }
        .hash()
    }
}
