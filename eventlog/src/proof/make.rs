//! Makes a proof out of the log.

use std::collections::{BTreeMap, btree_map::Entry};

use uuid::Uuid;

use super::{FORMAT, Link, NotProven, Proof, ProvenEvent};
use crate::{
    EventLog, Position,
    codec::{GENESIS, Hash, canonical_stored, micros, path_of},
    hex_bytes::Hex,
    signature::Signature,
    verify::batch_of,
};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// An event is not in the log.
    #[error("there is no event {0}")]
    Missing(Position),
    /// The signature is older than an event.
    #[error("the signature is over batch {signed}, before the event at {position}")]
    TooEarly {
        /// The signed batch.
        signed: i64,
        /// The event.
        position: Position,
    },
    /// The log does not prove it: it has been changed since, or the signature is over another log.
    #[error("the log does not prove it: {0}")]
    Damaged(#[from] NotProven),
    /// The database.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

struct Row {
    event: ProvenEvent,
    hash: Vec<u8>,
}

impl EventLog {
    /// The batch that holds a position; `None` after the end of the log.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn batch_of(&self, position: Position) -> Result<Option<i64>, sqlx::Error> {
        Ok(batch_of(self.pool(), position).await?.map(|batch| batch.batch_no))
    }

    /// Proves the events at `positions`, which begin with the earliest, up to a signature that is over all of them. What is made
    /// has been checked.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub async fn prove(
        &self,
        subject: Uuid,
        positions: &[Position],
        signature: Signature,
    ) -> Result<Proof, ProveError> {
        let first = *positions.first().ok_or(NotProven::Nothing)?;
        let start = batch_of(self.pool(), first).await?.ok_or(ProveError::Missing(first))?.batch_no;
        let links = self.links(start, signature.batch_no).await?;
        let mut proof = Proof {
            format: FORMAT.to_owned(),
            subject,
            events: Vec::with_capacity(positions.len()),
            previous_chain: Hex(self.chain_at(start - 1).await?),
            links,
            signature,
        };
        let mut batches: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for position in positions {
            let event = self.proven(&proof.links, &mut batches, *position, proof.signature.batch_no).await?;
            proof.events.push(event);
        }
        let key = proof.signature.public_key;
        proof.check(&key)?;
        Ok(proof)
    }

    async fn proven(
        &self,
        links: &[Link],
        batches: &mut BTreeMap<i64, Vec<Row>>,
        position: Position,
        signed: i64,
    ) -> Result<ProvenEvent, ProveError> {
        let within = |link: &&Link| (link.first_position..=link.last_position).contains(&position.get());
        let link = links.iter().find(within).ok_or(ProveError::TooEarly { signed, position })?;
        let rows = match batches.entry(link.batch_no) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(unread) => unread.insert(self.rows(link).await?),
        };
        let index = rows.iter().position(|row| row.event.position == position.get());
        let index = index.ok_or(ProveError::Missing(position))?;
        let leaves: Vec<Hash> =
            rows.iter().map(|row| row.hash.as_slice().try_into().unwrap_or(GENESIS)).collect();
        let path = path_of(&leaves, index).into_iter().map(Hex).collect();
        Ok(ProvenEvent { path, ..rows[index].event.clone() })
    }

    async fn links(&self, first: i64, last: i64) -> Result<Vec<Link>, sqlx::Error> {
        let links = sqlx::query!(
            "SELECT batch_no, first_position, last_position, recorded_at, root FROM es.batch
             WHERE batch_no BETWEEN $1 AND $2 ORDER BY batch_no",
            first,
            last
        );
        let links = links.fetch_all(self.pool()).await?.into_iter();
        let link = links.map(|row| Link {
            batch_no: row.batch_no,
            first_position: row.first_position,
            last_position: row.last_position,
            recorded_at_us: micros(row.recorded_at),
            root: Hex(row.root.try_into().unwrap_or(GENESIS)),
        });
        Ok(link.collect())
    }

    async fn chain_at(&self, batch_no: i64) -> Result<Hash, sqlx::Error> {
        let chain = sqlx::query_scalar!("SELECT chain FROM es.batch WHERE batch_no = $1", batch_no);
        let chain = chain.fetch_optional(self.pool()).await?;
        // Another length is a fault, and proves nothing in the end.
        Ok(chain.and_then(|chain| chain.try_into().ok()).unwrap_or(GENESIS))
    }

    /// The events of a batch, in position order.
    async fn rows(&self, link: &Link) -> Result<Vec<Row>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT position, version, causation_position, stream_id, command_id, correlation_id, owner_id, key_id,
                      category, schema_version, type AS event_type, hash, sealed_hash, data::text AS "data!"
               FROM es.event WHERE position BETWEEN $1 AND $2 ORDER BY position"#,
            link.first_position,
            link.last_position
        );
        let rows = rows.fetch_all(self.pool()).await?.into_iter().map(|row| {
            let event = ProvenEvent {
                position: row.position,
                stream: row.stream_id,
                version: row.version,
                category: row.category,
                owner: row.owner_id,
                correlation: row.correlation_id,
                causation: row.causation_position,
                event_type: row.event_type,
                schema_version: row.schema_version,
                data: row.data,
                key_id: row.key_id,
                sealed_hash: row.sealed_hash.and_then(|hash| hash.try_into().ok()).map(Hex),
                command_id: row.command_id,
                path: Vec::new(),
            };
            Row { event: as_hashed(event, &row.hash), hash: row.hash }
        });
        Ok(rows.collect())
    }
}

/// With its data as it was hashed: what was stored as jsonb came back as another text of the same value.
fn as_hashed(mut event: ProvenEvent, hash: &[u8]) -> ProvenEvent {
    if event.hash()[..] != *hash
        && let Some(data) = canonical_stored(&event.data)
    {
        event.data = data;
    }
    event
}
