//! How history is stored: an append-only log of envelopes in PostgreSQL, schema `es`.
//!
//! The log keeps one global order of events without gaps, appends to several streams at once, never records
//! a command twice, proves by hashes that nothing was changed, and feeds projectors. It owns the codec of
//! stored events and the ports [`KeyRing`] and [`Hints`]. It knows envelopes, not chat: it never looks at
//! what an event means.
//!
//! - [`EventLog::append`] writes; many appends share a commit.
//! - [`EventLog::feed`] with [`EventLog::wakes`] follows the global order; [`EventLog::read_stream`] and
//!   [`EventLog::read_correlation`] read a part of it.
//! - [`Lease`] and [`parked`] keep projectors exactly-once; [`EventLog::wait_for`] reads your writes.
//! - [`while_leased`] gives other work that one process does for all to one at a time.
//! - [`EventLog::verify`] checks everything; a [`Signature`] kept elsewhere says that nothing was replaced, and a [`Proof`]
//!   shows it of single events without the log.

mod append;
mod batch;
mod coalescer;
mod codec;
mod decode;
mod encode;
mod hex_bytes;
mod hints;
mod ids;
mod key_ring;
mod lease;
mod log;
mod maintenance;
mod meters;
mod migrate;
pub mod parked;
mod projector;
mod proof;
mod read;
mod recorded;
mod signature;
mod upcast;
mod verify;
mod wait;
mod wakes;
mod write;

pub use append::{
    Append, AppendError, Appended, DataFault, Expected, Guard, InvalidAppend, NewEvent, StreamAppend,
    Unavailable,
};
pub use hints::{HintTopic, Hints, NoHints};
pub use ids::{Category, CommandId, CorrelationId, OwnerId, Position, StreamId, Version};
pub use key_ring::{
    Forged, KeyRing, KeyRingUnavailable, NullKeyRing, SealError, SealRequest, SealedBytes, UnsealRequest,
};
pub use lease::while_leased;
pub use log::{EventLog, LogOptions};
pub use meters::describe_metrics;
pub use migrate::{Schema, migrate, migrations, schema};
pub use projector::{
    Lease, LeaseError, ProjectorId, ProjectorState, ProjectorStatus, VersionState, activate, hold_still,
    register, unregister,
};
pub use proof::{Checked, NotProven, Proof, ProveError, ProvenEvent};
pub use read::{FeedError, Head, OpenStream, ReadError};
pub use recorded::{DecodeFault, Envelope, EventType, Payload, Recorded, Unsealed};
pub use signature::{NotAKey, NotSigned, PublicKey, Signature, SigningKey};
pub use upcast::{Upcast, Upcasters};
pub use verify::{Fault, Part, Progress, SignedHead, StreamFault, Verification, VerifyReport};
pub use wait::Waited;
pub use wakes::Wakes;

/// What an append may hold: data and personal halves before compression, with [`EVENT_OVERHEAD`] an event.
pub const MAX_APPEND_BYTES: usize = 1 << 20;

/// What an event counts for besides its content: about what its envelope takes in a row and its indexes.
pub const EVENT_OVERHEAD: usize = 256;
