//! Sockets end with what let them in: when its session is closed or over, or the token that was shown. Nobody needs to say
//! so: it is looked for every so often. Who signs out by HTTP is told on the bus, too, so that it takes no time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, Weak};

use slipstream_commands::ports::{Sessions, SignedIn};
use slipstream_domain::{SessionId, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::close::{Close, End};
use super::heartbeat::Pulse;
use crate::lock;
use crate::shared::Shared;

/// Sessions that are asked about at once: one query of some 160 KB.
const AT_ONCE: usize = 10_000;

/// The sockets whose time is not their own.
#[derive(Debug, Default)]
pub(crate) struct Tenures(Mutex<Vec<Tenure>>);

#[derive(Debug)]
struct Tenure {
    by: SignedIn,
    pulse: Weak<Pulse>,
}

impl Tenures {
    /// From now on this socket is looked after, until it is gone.
    pub(super) fn watch(&self, by: SignedIn, pulse: &Arc<Pulse>) {
        if by.session.is_some() || by.until.is_some() {
            lock(&self.0).push(Tenure { by, pulse: Arc::downgrade(pulse) });
        }
    }

    /// Looks every so often until the last socket is `gone`.
    pub(crate) async fn run(shared: Arc<Shared>, gone: CancellationToken) {
        let mut ticks = tokio::time::interval(shared.settings.session_check);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = gone.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let asked = shared.tenures.expire(shared.app.now());
            if let Some(accounts) = &shared.accounts {
                shared.tenures.look(&*accounts.sessions, &asked).await;
            }
        }
    }

    /// Ends those whose time is over, forgets those that are gone, and answers by which sessions the others were let in.
    fn expire(&self, now: Timestamp) -> Vec<SessionId> {
        let mut sessions = HashSet::new();
        lock(&self.0).retain(|tenure| {
            let Some(pulse) = tenure.pulse.upgrade().filter(|pulse| !pulse.outbox.has_ended()) else {
                return false;
            };
            let over = tenure.by.until.is_some_and(|until| until <= now);
            if over {
                pulse.outbox.end(End::Ours(Close::SIGNED_OUT));
            } else {
                sessions.extend(tenure.by.session);
            }
            !over
        });
        sessions.into_iter().collect()
    }

    /// Ends those whose sessions are closed. What cannot be told now is told the next time.
    async fn look(&self, sessions: &dyn Sessions, asked: &[SessionId]) {
        for some in asked.chunks(AT_ONCE) {
            match sessions.closed_among(some).await {
                Ok(closed) if closed.is_empty() => {}
                Ok(closed) => self.end(&closed.into_iter().collect()),
                Err(error) => return tracing::warn!(%error, "whose sessions are closed cannot be told"),
            }
        }
    }

    fn end(&self, closed: &HashSet<SessionId>) {
        for tenure in &*lock(&self.0) {
            let is_closed = tenure.by.session.is_some_and(|session| closed.contains(&session));
            if let Some(pulse) = tenure.pulse.upgrade().filter(|_| is_closed) {
                pulse.outbox.end(End::Ours(Close::SIGNED_OUT));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use slipstream_domain::UserId;
    use uuid::Uuid;

    use super::*;

    fn ann(session: Option<u128>, until: Option<i64>) -> SignedIn {
        SignedIn {
            user: UserId::from_uuid(Uuid::nil()),
            session: session.map(|n| SessionId::from_uuid(Uuid::from_u128(n))),
            until: until.map(Timestamp::from_millis),
        }
    }

    #[test]
    fn a_socket_ends_when_the_time_of_what_let_it_in_is_over() {
        let (tenures, early, late) = (Tenures::default(), Arc::default(), Arc::default());
        tenures.watch(ann(Some(1), Some(10)), &early);
        tenures.watch(ann(Some(2), Some(20)), &late);
        assert_eq!(tenures.expire(Timestamp::from_millis(9)).len(), 2);
        assert_eq!(tenures.expire(Timestamp::from_millis(10)), [SessionId::from_uuid(Uuid::from_u128(2))]);
        assert_eq!(early.outbox.ended().now_or_never(), Some(End::Ours(Close::SIGNED_OUT)));
        assert!(!late.outbox.has_ended());
    }

    #[test]
    fn a_closed_session_ends_its_sockets_and_no_others() {
        let (tenures, one, two, token) = (Tenures::default(), Arc::default(), Arc::default(), Arc::default());
        tenures.watch(ann(Some(1), None), &one);
        tenures.watch(ann(Some(2), None), &two);
        tenures.watch(ann(None, Some(9)), &token);
        tenures.end(&[SessionId::from_uuid(Uuid::from_u128(1))].into());
        assert!(one.outbox.has_ended() && !two.outbox.has_ended() && !token.outbox.has_ended());
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let (tenures, pulse) = (Tenures::default(), Arc::default());
        tenures.watch(ann(Some(1), None), &pulse);
        drop(pulse);
        assert!(tenures.expire(Timestamp::from_millis(0)).is_empty());
        assert!(lock(&tenures.0).is_empty());
    }
}
