//! Who does the work: takes jobs, owns generations, calls providers, numbers and coalesces what they say, records it, and
//! sees to it that each generation ends.
//!
//! One owner makes a generation at a time: its epoch is in everything it writes, and the log refuses a stale one. Owns
//! no history and no vendor's format: it is a client of `commands`, `projections` and `providers`.

mod answer;
mod attached;
mod claims;
mod coalesce;
mod consumer;
mod delivery;
mod erasure;
mod hints;
mod history;
mod hot;
mod journal;
mod keeping;
mod meters;
mod outlet;
mod prepare;
mod reaper;
mod reply;
mod sweeper;
mod takeover;
mod titles;
mod usage;
mod worker;

pub use erasure::{Erasure, ErasureError, ErasureStep};
pub use meters::describe_metrics;
pub use reaper::{Patience, Reaper};
pub use worker::{AtGraceEnd, Fallback, Settings, WorkerDeps, Workers};
