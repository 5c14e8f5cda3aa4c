//! Who has got how far, as far as this process has heard: local commits and projector checkpoints directly,
//! those of other processes by hints. It only says when to look; the truth is in the database.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{HintTopic, Hints, Position};

/// How often a reader looks even if nothing wakes it.
const POLL: Duration = Duration::from_secs(1);
/// At most 50 hints a second and topic leave this process.
const BETWEEN_HINTS: Duration = Duration::from_millis(20);

type Reached = HashMap<HintTopic, Position>;

/// The positions heard of.
pub(crate) struct Signals {
    /// By anybody: what readers wait on.
    heard: watch::Sender<Reached>,
    /// By this process: what others are told.
    local: watch::Sender<Reached>,
}

impl Signals {
    pub(crate) fn start(hints: Arc<dyn Hints>, tasks: &TaskTracker, drain: CancellationToken) -> Arc<Self> {
        let signals = Arc::new(Self {
            heard: watch::Sender::new(Reached::new()),
            local: watch::Sender::new(Reached::new()),
        });
        tasks.spawn(listen(signals.clone(), hints.clone(), drain.clone()));
        tasks.spawn(tell(signals.local.subscribe(), hints, drain));
        signals
    }

    /// This process has moved `topic` to `position`, and has committed that.
    pub(crate) fn moved(&self, topic: HintTopic, position: Position) {
        raise(&self.heard, topic.clone(), position);
        raise(&self.local, topic, position);
    }

    /// Returns when `topic` is heard to be at `position` or beyond; never, if nobody says so. Cancel-safe.
    pub(crate) async fn reached(&self, topic: &HintTopic, position: Position) {
        let mut heard = self.heard.subscribe();
        // The sender is in self, so waiting cannot fail.
        drop(heard.wait_for(|reached| at(reached, topic) >= position).await);
    }

    pub(crate) fn wakes(&self) -> Wakes {
        let heard = self.heard.subscribe();
        let seen = at(&heard.borrow(), &HintTopic::Log);
        Wakes { heard, seen }
    }
}

fn at(reached: &Reached, topic: &HintTopic) -> Position {
    reached.get(topic).copied().unwrap_or(Position::START)
}

fn raise(positions: &watch::Sender<Reached>, topic: HintTopic, position: Position) {
    positions.send_if_modified(|reached| {
        let known = reached.entry(topic).or_insert(Position::START);
        let news = position > *known;
        *known = position.max(*known);
        news
    });
}

async fn listen(signals: Arc<Signals>, hints: Arc<dyn Hints>, drain: CancellationToken) {
    while let Some((topic, position)) = drain.run_until_cancelled(hints.next()).await {
        raise(&signals.heard, topic, position);
    }
}

async fn tell(mut local: watch::Receiver<Reached>, hints: Arc<dyn Hints>, drain: CancellationToken) {
    let mut told = Reached::new();
    while let Some(Ok(())) = drain.run_until_cancelled(local.changed()).await {
        let news = local.borrow_and_update().clone();
        for (topic, position) in &news {
            if at(&told, topic) < *position {
                hints.hint(topic.clone(), *position);
            }
        }
        told = news;
        drain.run_until_cancelled(sleep(BETWEEN_HINTS)).await;
    }
}

/// Tells a reader of the feed when to look again. It is armed when it is made and again whenever `changed`
/// returns: make it, read until nothing comes, then wait.
pub struct Wakes {
    heard: watch::Receiver<Reached>,
    seen: Position,
}

impl Wakes {
    /// Returns when there may be new events: at once if the log has moved since the last return, else when
    /// it moves, and after a second in any case. Cancel-safe.
    pub async fn changed(&mut self) {
        let seen = self.seen;
        let moved = async {
            let reached = self.heard.wait_for(|reached| at(reached, &HintTopic::Log) > seen).await;
            reached.map(|reached| at(&reached, &HintTopic::Log))
        };
        match timeout(POLL, moved).await {
            Ok(Ok(position)) => self.seen = position,
            Ok(Err(_)) => sleep(POLL).await, // the log is gone, other processes may still write
            Err(_) => {}
        }
    }
}
