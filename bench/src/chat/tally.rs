//! What all clients of a load have seen.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::latency::{Latencies, Quantiles};

#[derive(Debug)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    first: Latencies,
    added: Latencies,
    chunks: usize,
}

/// What it comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) chunks: usize,
    /// From when the chat was to begin to its first text.
    pub(crate) first: Quantiles,
    /// From when the provider sent a chunk to its arrival.
    pub(crate) added: Quantiles,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Mutex::new(Counts { first: Latencies::new()?, added: Latencies::new()?, chunks: 0 })))
    }

    /// Chunks that came in one frame, and how late the first of a chat was.
    pub(crate) fn chunks(&self, ages: &[Duration], first: Option<Duration>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.chunks += ages.len();
        for age in ages {
            counts.added.record(*age);
        }
        if let Some(first) = first {
            counts.first.record(first);
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Seen { chunks: counts.chunks, first: counts.first.quantiles(), added: counts.added.quantiles() }
    }
}
