//! One circuit per provider and key owner: after several failures in a short time nothing is sent for a while, then one
//! probe decides. Knows nothing of HTTP; the caller brings the time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slipstream_domain::ProviderId;
use tokio::time::Instant;

use crate::{KeyOwner, meters};

/// When a circuit opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures within `window` that open it.
    pub failures: usize,
    /// How long a failure counts.
    pub window: Duration,
    /// How long it stays open before a probe is let through.
    pub open_for: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failures: 5, window: Duration::from_secs(30), open_for: Duration::from_secs(30) }
    }
}

/// Whose circuit.
pub(crate) type CircuitKey = (ProviderId, KeyOwner);

/// All circuits. Cloning shares them. Only circuits with recent failures are held, so their number is bounded by the
/// failures of the last `window` and `open_for`.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    circuits: Arc<Mutex<HashMap<CircuitKey, Circuit>>>,
}

#[derive(Debug)]
enum Circuit {
    Closed {
        failures: VecDeque<Instant>,
    },
    Open {
        until: Instant,
    },
    /// One probe is under way.
    Probing,
}

/// Leave for one attempt. Say how it went; dropped without that (a cancelled call), it says nothing and a probe's place
/// is free again.
#[derive(Debug)]
pub(crate) struct Permit {
    breaker: Breaker,
    key: CircuitKey,
    /// When it was the probe and has not been settled: since when.
    probing_since: Option<Instant>,
}

/// The circuit is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    /// Until the next probe is let through.
    pub(crate) wait: Duration,
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        Self { policy, circuits: Arc::default() }
    }

    /// Leave to try, or how long there is none.
    pub(crate) fn admit(&self, key: CircuitKey, now: Instant) -> Result<Permit, Open> {
        let mut circuits = self.lock();
        let probing_since = match circuits.get_mut(&key) {
            Some(Circuit::Open { until }) if now < *until => return Err(Open { wait: *until - now }),
            Some(Circuit::Probing) => return Err(Open { wait: self.policy.open_for }),
            Some(circuit @ Circuit::Open { .. }) => {
                *circuit = Circuit::Probing;
                Some(now)
            }
            Some(Circuit::Closed { .. }) | None => None,
        };
        drop(circuits);
        Ok(Permit { breaker: self.clone(), key, probing_since })
    }

    fn fail(&self, key: &CircuitKey, now: Instant) {
        let policy = self.policy;
        let mut circuits = self.lock();
        circuits.retain(|_, circuit| circuit.matters(now, policy.window));
        let circuit =
            circuits.entry(key.clone()).or_insert_with(|| Circuit::Closed { failures: VecDeque::new() });
        match circuit {
            Circuit::Closed { failures } => {
                failures.push_back(now);
                failures.retain(|at| now - *at < policy.window);
                if failures.len() >= policy.failures {
                    *circuit = Circuit::Open { until: now + policy.open_for };
                }
            }
            Circuit::Probing => *circuit = Circuit::Open { until: now + policy.open_for },
            // A call admitted before it opened: the circuit knows already.
            Circuit::Open { .. } => {}
        }
        report(&circuits, &key.0);
    }

    /// Closes the circuit and forgets its failures.
    fn close(&self, key: &CircuitKey) {
        let mut circuits = self.lock();
        if circuits.remove(key).is_some() {
            report(&circuits, &key.0);
        }
    }

    /// A panic elsewhere cannot leave a circuit half changed, so a poisoned lock is taken as it is.
    fn lock(&self) -> MutexGuard<'_, HashMap<CircuitKey, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells how many circuits of a provider are open.
fn report(circuits: &HashMap<CircuitKey, Circuit>, provider: &ProviderId) {
    let open = circuits.iter().filter(|((of, _), circuit)| of == provider && circuit.is_open());
    meters::circuits_open(provider, open.count());
}

impl Circuit {
    fn is_open(&self) -> bool {
        match self {
            Self::Open { .. } | Self::Probing => true,
            Self::Closed { .. } => false,
        }
    }

    fn matters(&self, now: Instant, window: Duration) -> bool {
        match self {
            Self::Closed { failures } => failures.back().is_some_and(|at| now - *at < window),
            // Kept until its probe: forgetting it would forget that the vendor was down.
            Self::Open { until } => now < *until + window,
            Self::Probing => true,
        }
    }
}

impl Permit {
    /// Whether it is the one probe of an open circuit.
    pub(crate) fn is_probe(&self) -> bool {
        self.probing_since.is_some()
    }

    /// The vendor has begun to answer: a probe has done its work, and others need not wait for its end.
    pub(crate) fn answering(&mut self) {
        if self.probing_since.take().is_some() {
            self.breaker.close(&self.key);
        }
    }

    /// The vendor answered, be it with a refusal: earlier failures are forgotten.
    pub(crate) fn succeeded(mut self) {
        self.probing_since = None;
        self.breaker.close(&self.key);
    }

    /// The vendor was broken or out of reach.
    pub(crate) fn failed(mut self, now: Instant) {
        self.probing_since = None;
        self.breaker.fail(&self.key, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(until) = self.probing_since
            && let Some(circuit @ Circuit::Probing) = self.breaker.lock().get_mut(&self.key)
        {
            *circuit = Circuit::Open { until };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(owner: KeyOwner) -> CircuitKey {
        (ProviderId::parse("openai").unwrap(), owner)
    }

    fn tripped(now: Instant) -> Breaker {
        let breaker = Breaker::new(BreakerPolicy::default());
        for _ in 0..5 {
            breaker.admit(key(KeyOwner::Server), now).unwrap().failed(now);
        }
        breaker
    }

    #[test]
    fn five_failures_in_thirty_seconds_open_it_for_that_owner_only() {
        let now = Instant::now();
        let breaker = tripped(now);
        assert_eq!(
            breaker.admit(key(KeyOwner::Server), now + SECOND).unwrap_err(),
            Open { wait: 29 * SECOND }
        );
        let someone = KeyOwner::User(slipstream_domain::UserId::from_uuid(uuid::Uuid::nil()));
        assert!(breaker.admit(key(someone), now).is_ok());
    }

    #[test]
    fn failures_far_apart_do_not_open_it() {
        let start = Instant::now();
        let breaker = Breaker::new(BreakerPolicy::default());
        for n in 0..20 {
            let now = start + 8 * SECOND * n;
            breaker.admit(key(KeyOwner::Server), now).unwrap().failed(now);
        }
        assert!(breaker.admit(key(KeyOwner::Server), start + 160 * SECOND).is_ok());
    }

    #[test]
    fn one_probe_goes_through_and_its_success_closes_the_circuit() {
        let now = Instant::now();
        let breaker = tripped(now);
        let later = now + 30 * SECOND;
        let probe = breaker.admit(key(KeyOwner::Server), later).unwrap();
        assert!(breaker.admit(key(KeyOwner::Server), later).is_err(), "one probe at a time");
        probe.succeeded();
        for _ in 0..4 {
            breaker.admit(key(KeyOwner::Server), later).unwrap().failed(later);
        }
        assert!(breaker.admit(key(KeyOwner::Server), later).is_ok(), "old failures are forgotten");
    }

    #[test]
    fn a_failed_probe_opens_it_again() {
        let now = Instant::now();
        let breaker = tripped(now);
        let later = now + 31 * SECOND;
        breaker.admit(key(KeyOwner::Server), later).unwrap().failed(later);
        assert_eq!(breaker.admit(key(KeyOwner::Server), later).unwrap_err(), Open { wait: 30 * SECOND });
    }

    #[test]
    fn a_cancelled_probe_gives_its_place_back() {
        let past = Instant::now();
        let breaker = tripped(past);
        let probe = breaker.admit(key(KeyOwner::Server), past + 30 * SECOND).unwrap();
        drop(probe);
        assert!(breaker.admit(key(KeyOwner::Server), past + 30 * SECOND).is_ok());
    }
}
