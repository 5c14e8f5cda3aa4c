//! The tiers above the log, unreliable.

mod bus;
mod queue;
mod state;

use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) use bus::LossyBus;
pub(crate) use queue::RepeatingQueue;
pub(crate) use state::FrailState;

/// Why a tier does not answer.
const DOWN: &str = "the schedule says so";

/// The same number below 100 for the same thing, as if by chance.
fn percent(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish() % 100
}
