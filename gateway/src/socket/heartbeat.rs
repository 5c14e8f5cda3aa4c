//! The heartbeats of all sockets, from one timer: a wheel of seconds, each with the sockets that are due then.
//!
//! A socket is pinged every 25 s and has 10 s to answer from the moment its ping was written; a client that does not
//! even take the ping is the writer's matter.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::close::{Close, End};
use super::outbox::Outbox;
use crate::lock;
use crate::settings::Settings;

const TICK: Duration = Duration::from_secs(1);

/// The wheel and its clock.
pub(crate) struct Heartbeats {
    every: u64,
    answer: u64,
    now: AtomicU64,
    wheel: Mutex<Wheel<Due>>,
}

/// The heart of one socket.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    pub(super) outbox: Outbox,
    /// When the unanswered ping was written, in ticks; 0 when there is none.
    pinged: AtomicU64,
    /// Whether a ping is still to be written.
    wanted: AtomicBool,
}

struct Due {
    pulse: Weak<Pulse>,
    what: What,
}

enum What {
    Ping,
    Check,
}

impl Heartbeats {
    pub(crate) fn new(settings: &Settings) -> Arc<Self> {
        let (every, answer) = (settings.ping_every.max(1).into(), settings.ping_answer.max(1).into());
        Arc::new(Self {
            every,
            answer,
            now: AtomicU64::new(1),
            wheel: Mutex::new(Wheel::new(every.max(answer))),
        })
    }

    /// From now on this socket is pinged, until it is gone.
    pub(crate) fn watch(&self, pulse: &Arc<Pulse>) {
        lock(&self.wheel).put(self.every, Due { pulse: Arc::downgrade(pulse), what: What::Ping });
    }

    /// Turns the wheel until the last socket is `gone`.
    pub(crate) async fn run(self: Arc<Self>, gone: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = gone.cancelled() => return,
                _ = ticks.tick() => self.tick(),
            }
        }
    }

    /// The ping of `pulse` has been written.
    pub(super) fn pinged(&self, pulse: &Pulse) {
        pulse.pinged.store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
        pulse.wanted.store(false, Ordering::Relaxed);
    }

    fn tick(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let due = lock(&self.wheel).turn();
        let again: Vec<_> = due.into_iter().filter_map(|due| self.beat(now, due)).collect();
        let mut wheel = lock(&self.wheel);
        for (ticks, due) in again {
            wheel.put(ticks, due);
        }
    }

    /// What is done now, and what is due in how many ticks; `None` when the socket is gone.
    fn beat(&self, now: u64, due: Due) -> Option<(u64, Due)> {
        let pulse = due.pulse.upgrade().filter(|pulse| !pulse.outbox.has_ended())?;
        let (ticks, what) = match due.what {
            What::Ping => {
                pulse.wanted.store(true, Ordering::Relaxed);
                pulse.outbox.ping();
                (self.answer, What::Check)
            }
            What::Check if pulse.wanted.load(Ordering::Relaxed) => (self.answer, What::Check),
            What::Check => match pulse.pinged.load(Ordering::Relaxed) {
                0 => (self.every.saturating_sub(self.answer).max(1), What::Ping),
                written if now - written >= self.answer => {
                    pulse.outbox.end(End::Ours(Close::HEARTBEAT));
                    return None;
                }
                written => (written + self.answer - now, What::Check),
            },
        };
        Some((ticks, Due { pulse: due.pulse, what }))
    }
}

impl Pulse {
    /// The client lives: it has sent something.
    pub(super) fn alive(&self) {
        self.pinged.store(0, Ordering::Relaxed);
    }
}

/// A ring of seconds. Putting and turning cost as much as what is put or due, however many wait.
struct Wheel<T> {
    slots: Vec<Vec<T>>,
    at: usize,
}

impl<T> Wheel<T> {
    /// For delays of 1 to `longest` ticks.
    fn new(longest: u64) -> Self {
        let slots = usize::try_from(longest).unwrap_or(0) + 1;
        Self { slots: (0..slots).map(|_| Vec::new()).collect(), at: 0 }
    }

    /// Due after `ticks` turns, which is brought into the wheel's range.
    fn put(&mut self, ticks: u64, what: T) {
        let ticks = usize::try_from(ticks).unwrap_or(usize::MAX).clamp(1, self.slots.len() - 1);
        let slot = (self.at + ticks) % self.slots.len();
        self.slots[slot].push(what);
    }

    fn turn(&mut self) -> Vec<T> {
        self.at = (self.at + 1) % self.slots.len();
        std::mem::take(&mut self.slots[self.at])
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::super::outbox::Next;
    use super::*;

    #[test]
    fn what_is_put_comes_after_so_many_turns() {
        let mut wheel = Wheel::new(25);
        (1..=25).for_each(|ticks| wheel.put(ticks, ticks));
        for tick in 1..=25 {
            assert_eq!(wheel.turn(), vec![tick]);
            wheel.put(25, 100 + tick);
        }
        assert_eq!(wheel.turn(), vec![101]);
    }

    fn watched() -> (Arc<Heartbeats>, Arc<Pulse>) {
        let heartbeats = Heartbeats::new(&Settings::default());
        let pulse = Arc::new(Pulse::default());
        heartbeats.watch(&pulse);
        (heartbeats, pulse)
    }

    fn tick(heartbeats: &Heartbeats, times: usize) {
        (0..times).for_each(|_| heartbeats.tick());
    }

    fn take_ping(heartbeats: &Heartbeats, pulse: &Pulse) {
        assert!(matches!(pulse.outbox.try_next(), Some(Next::Ping)));
        heartbeats.pinged(pulse);
    }

    #[test]
    fn a_client_that_answers_is_pinged_every_25_seconds() {
        let (heartbeats, pulse) = watched();
        for _ in 0..4 {
            tick(&heartbeats, 24);
            assert!(pulse.outbox.try_next().is_none());
            tick(&heartbeats, 1);
            take_ping(&heartbeats, &pulse);
            pulse.alive();
        }
    }

    #[test]
    fn a_client_that_does_not_answer_in_10_seconds_has_missed_its_heartbeat() {
        let (heartbeats, pulse) = watched();
        tick(&heartbeats, 25);
        take_ping(&heartbeats, &pulse);
        tick(&heartbeats, 9);
        assert!(!pulse.outbox.has_ended());
        tick(&heartbeats, 1);
        assert_eq!(pulse.outbox.ended().now_or_never(), Some(End::Ours(Close::HEARTBEAT)));
    }

    #[test]
    fn the_10_seconds_begin_when_the_ping_is_written() {
        let (heartbeats, pulse) = watched();
        tick(&heartbeats, 25 + 8);
        take_ping(&heartbeats, &pulse);
        tick(&heartbeats, 9);
        assert!(!pulse.outbox.has_ended());
        tick(&heartbeats, 1);
        assert!(pulse.outbox.has_ended());
    }

    #[test]
    fn a_socket_that_is_gone_leaves_the_wheel() {
        let (heartbeats, pulse) = watched();
        drop(pulse);
        tick(&heartbeats, 25);
        assert!(lock(&heartbeats.wheel).slots.iter().all(Vec::is_empty));
    }
}
