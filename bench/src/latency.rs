//! Latencies, in microseconds, and what is told of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longer than anything that is measured is waited for.
const LONGEST: Duration = Duration::from_mins(10);

/// Three digits of each.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// In milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latencies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_max(micros(LONGEST), 3)?))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(micros(latency));
    }

    pub(crate) fn quantiles(&self) -> Quantiles {
        let millis = |quantile| micros_to_millis(self.0.value_at_quantile(quantile));
        Quantiles { p50: millis(0.5), p99: millis(0.99), max: micros_to_millis(self.0.max()) }
    }
}

fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "latencies are far below 2^52 µs")]
fn micros_to_millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_milliseconds_and_what_is_too_long_counts_as_the_longest() {
        let mut latencies = Latencies::new().unwrap();
        for millis in 1..=98 {
            latencies.record(Duration::from_millis(millis));
        }
        latencies.record(Duration::from_secs(3));
        latencies.record(Duration::from_hours(1));
        let Quantiles { p50, p99, max } = latencies.quantiles();
        assert!((49.9..50.1).contains(&p50) && (2990.0..3010.0).contains(&p99) && max > 590_000.0);
    }
}
