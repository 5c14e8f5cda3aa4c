//! Proofs of single events: enough of the log to show, without it, that an event stands where it stands since a head was
//! signed. Holds no personal half, only its hash; so it can be given away, and an erasure leaves it valid.
//!
//! What is checked, and what others need to check it, is told in ARCHITECTURE.md ("A proof") and `schemas/proof.json`.

mod check;
mod make;

pub use check::{Checked, NotProven};
pub use make::ProveError;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Category, CommandId, CorrelationId, OwnerId, Position, StreamId, Version,
    codec::{EventFacts, Hash},
    hex_bytes::Hex,
    signature::Signature,
};

const FORMAT: &str = "slipstream-proof/1";

/// That some events were recorded before a head was signed, and have not changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proof {
    /// Always `slipstream-proof/1`.
    format: String,
    /// What the events are about, as who made the proof names it. Nothing proves this.
    pub subject: Uuid,
    /// In position order.
    pub events: Vec<ProvenEvent>,
    /// The chain before the first link; 32 zero bytes before the first batch of the log.
    previous_chain: Hex<32>,
    /// Every batch from the first event's to the signed one.
    links: Vec<Link>,
    /// Over the chain at the last link.
    pub signature: Signature,
}

/// An event: all that its hash is made of, and its way to the root of its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvenEvent {
    /// Its place in the global order.
    pub position: i64,
    /// The stream it belongs to.
    pub stream: Uuid,
    version: i64,
    category: i16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Uuid>,
    correlation: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<i64>,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    schema_version: i16,
    /// Its clear half, as the text that was hashed.
    pub data: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<Uuid>,
    /// SHA-256 of its personal half, as it was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_hash: Option<Hex<32>>,
    command_id: Uuid,
    /// The hashes beside its own on the way up, from the leaf.
    path: Vec<Hex<32>>,
}

/// What a batch adds to the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Link {
    batch_no: i64,
    first_position: i64,
    last_position: i64,
    /// In µs since 1970.
    recorded_at_us: i64,
    root: Hex<32>,
}

impl ProvenEvent {
    fn hash(&self) -> Hash {
        EventFacts {
            stream: StreamId::from_uuid(self.stream),
            version: Version::new(self.version),
            category: Category(self.category),
            owner: self.owner.map(OwnerId::from_uuid),
            correlation: CorrelationId::from_uuid(self.correlation),
            causation: self.causation.map(Position::new),
            event_type: &self.event_type,
            schema_version: self.schema_version,
            data: &self.data,
            key_id: self.key_id,
            sealed_hash: self.sealed_hash.as_ref().map(|hash| &hash.0[..]),
            command: CommandId::from_uuid(self.command_id),
        }
        .hash()
    }
}
