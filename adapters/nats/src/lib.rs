//! What many processes tell each other, over NATS: jobs (JetStream), the live bus and hints (core subjects). Owns
//! subject names, wire bytes, connections and time-outs; decides nothing. NATS may lose everything at any time: jobs are
//! published again from the log, live output is read from the stream state, and hints are only hints.
//!
//! | subject, below the installation's prefix | what | bytes |
//! |---|---|---|
//! | `<prefix>.jobs` (work-queue stream `<prefix>-jobs`, consumer `workers`) | jobs; `Nats-Msg-Id` is the job's id | `<generationId>:<attempt>` |
//! | `<prefix>.live.<conversationId>`, `<prefix>.user.<userId>`, `<prefix>.owner.<generationId>` | the live bus | a version byte and JSON (`wire.rs`) |
//! | `<prefix>.owner.<generationId>`, with a reply subject | are you there? the answer is empty | none |
//! | `<prefix>.hint` | the log's hints | JSON |
//!
//! Needs NATS 2.10 with JetStream.

mod bus;
mod connection;
mod delivery;
mod hints;
mod listeners;
mod names;
mod queue;
mod settings;
mod wire;

pub use bus::NatsBus;
pub use connection::{Nats, NatsError};
pub use hints::NatsHints;
pub use queue::NatsQueue;
pub use settings::{ClientCertificate, Credentials, NatsSettings, SettingsError, Tls};
