//! Everything about a conversation that may change while one reads it: its output on the bus, its events in the log.

use std::time::Duration;

use slipstream_commands::ports::{BusEvent, Subject, Subscription};
use slipstream_domain::ConversationId;

use super::news::{Signal, Watch};
use crate::shared::Shared;

/// How often the log is asked while it does not answer, or while the bus is not heard.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// The gate of a reader: taken before anything is asked of the conversation, so that nothing is missed, and bounded: what
/// it loses while it is not read, it says ([`BusEvent::Lagged`], [`Signal::Look`]).
pub(super) struct Listening {
    watch: Watch<ConversationId, Signal>,
    /// `None` when the bus does not answer: then the tiers below it are asked each second.
    live: Option<Box<dyn Subscription>>,
}

/// What was heard.
pub(super) enum Heard {
    /// On the bus.
    Live(BusEvent),
    /// From the log.
    Signal(Signal),
}

impl Listening {
    pub(super) async fn to(shared: &Shared, conversation: ConversationId) -> Self {
        let watch = shared.news.watch(conversation);
        let live = shared.app.bus().subscribe(Subject::Conversation(conversation)).await;
        let live = live
            .inspect_err(|error| tracing::warn!(%error, "a conversation is followed without the bus"))
            .ok();
        Self { watch, live }
    }

    /// Whether the bus is heard.
    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// The next thing to hear; the log first. Cancel-safe.
    pub(super) async fn next(&mut self) -> Heard {
        let Self { watch, live } = self;
        loop {
            tokio::select! {
                biased;
                signal = watch.next() => return Heard::Signal(signal.unwrap_or(Signal::Look)),
                event = next_live(live.as_mut()) => match event {
                    Some(event) => return Heard::Live(event),
                    None => *live = None,
                },
            }
        }
    }
}

async fn next_live(live: Option<&mut Box<dyn Subscription>>) -> Option<BusEvent> {
    match live {
        Some(live) => live.next().await,
        None => std::future::pending().await,
    }
}
