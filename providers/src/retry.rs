//! When to ask again and after how long. Pure: the caller counts, waits and brings the randomness.

use std::sync::Arc;
use std::time::Duration;

use crate::ProviderError;

/// Randomness: a number in 0 ≤ x < 1, a new one each time.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// How patient a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub retries: u32,
    /// The wait before the first retry; doubled for each further one.
    pub base: Duration,
    /// A vendor that asks to wait longer than this is not asked again.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 2, base: Duration::from_millis(500), longest: Duration::from_secs(20) }
    }
}

impl RetryPolicy {
    /// How long to wait after the `attempt`th attempt (from 1) failed with `error`; none: give up. The wait is between
    /// half and all of `base · 2^(attempt-1)`, so that many callers do not come back together, and never less than the
    /// vendor asked for.
    pub(crate) fn wait_after(&self, attempt: u32, error: &ProviderError, jitter: f64) -> Option<Duration> {
        if attempt > self.retries || !error.is_transient() {
            return None;
        }
        let full = self.base.saturating_mul(2u32.saturating_pow(attempt - 1)).min(self.longest);
        let backoff = full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        match error.retry_after() {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(backoff)),
            None => Some(backoff),
        }
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::ErrorClass;

    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { retries: 2, base: Duration::from_millis(100), longest: Duration::from_secs(1) };

    fn error(class: ErrorClass) -> ProviderError {
        ProviderError::new(class, "no")
    }

    #[test]
    fn waits_double_and_lie_between_half_and_all() {
        let busy = error(ErrorClass::Overloaded);
        assert_eq!(POLICY.wait_after(1, &busy, 0.0), Some(Duration::from_millis(50)));
        assert_eq!(POLICY.wait_after(1, &busy, 1.0), Some(Duration::from_millis(100)));
        assert_eq!(POLICY.wait_after(2, &busy, 1.0), Some(Duration::from_millis(200)));
        assert_eq!(POLICY.wait_after(3, &busy, 1.0), None);
    }

    #[test]
    fn the_vendors_wish_is_honoured_unless_it_is_too_long() {
        let asked =
            |secs| error(ErrorClass::RateLimited).with_retry_after(Some(Duration::from_secs_f64(secs)));
        assert_eq!(POLICY.wait_after(1, &asked(0.7), 0.0), Some(Duration::from_millis(700)));
        assert_eq!(POLICY.wait_after(1, &asked(0.001), 0.0), Some(Duration::from_millis(50)));
        assert_eq!(POLICY.wait_after(1, &asked(5.0), 0.0), None);
    }

    #[test]
    fn only_what_may_pass_by_itself_is_tried_again() {
        use ErrorClass::{
            Auth, ContentFiltered, Internal, InvalidRequest, Network, Overloaded, Protocol, Quota,
            RateLimited, Timeout,
        };
        for class in [RateLimited, Overloaded, Timeout, Network] {
            assert!(POLICY.wait_after(1, &error(class), 0.5).is_some(), "{class:?}");
        }
        for class in [Auth, Quota, InvalidRequest, ContentFiltered, Protocol, Internal] {
            assert!(POLICY.wait_after(1, &error(class), 0.5).is_none(), "{class:?}");
        }
    }
}
