//! How many frames a client may send: so many a second, twice as many at once.

use tokio::time::Instant;

/// A bucket that fills with time and loses a token a frame.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    pub(super) fn full(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, tokens: per_second * 2.0, at: now }
    }

    /// Whether there was a token to take.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let filled = self.tokens + now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.tokens = filled.min(self.per_second * 2.0);
        self.at = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_seconds_worth_at_once_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(10, start);
        assert_eq!((0..30).filter(|_| bucket.take(start)).count(), 20);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..30).filter(|_| bucket.take(later)).count(), 5);
    }
}
