//! The machine's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use slipstream_commands::ports::Clock;
use slipstream_domain::Timestamp;

/// What the machine says, but never earlier than it has said before: when its clock is set back, time stands still until
/// it is past again.
#[derive(Debug)]
pub struct SystemClock(AtomicI64);

impl SystemClock {
    /// The clock of this process.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter through which everybody else gets the time"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.0.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_even_when_the_machines_clock_does() {
        let clock = SystemClock::new();
        let before = clock.now();
        let ahead = before.micros() + 3_600_000_000;
        clock.0.store(ahead, Ordering::Relaxed);
        assert_eq!(clock.now().micros(), ahead, "an hour ahead of the machine, as after it was set back");
    }

    #[test]
    fn it_is_the_present() {
        let year_2020 = Timestamp::from_millis(1_577_836_800_000);
        assert!(SystemClock::new().now() > year_2020);
    }
}
