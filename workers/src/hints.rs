//! What an owner hears on the live bus: that its user wants it to stop.

use slipstream_commands::Ownership;
use slipstream_commands::ports::{BusEvent, LiveMessage, Subject, Subscription};

use crate::worker::Worker;

/// What the owner's subject of the live bus says.
pub(crate) struct Hints(Option<Box<dyn Subscription>>);

pub(crate) enum Hint {
    /// The user wants the reply to stop; the log has the wish.
    Cancel,
    /// Something was said that did not arrive.
    Missed,
}

impl Hints {
    /// From now on the owner also answers whoever asks whether it lives. Without a bus there are no hints, and the log is
    /// looked at as often as ever.
    pub(crate) async fn listen(worker: &Worker, own: &Ownership) -> Self {
        match worker.app.bus().subscribe(Subject::Owner(own.id())).await {
            Ok(subscription) => Self(Some(subscription)),
            Err(error) => {
                tracing::warn!(%error, "an owner is without hints");
                Self(None)
            }
        }
    }

    /// The next hint; for ever when there is no bus (any more). Cancel-safe.
    pub(crate) async fn next(&mut self) -> Hint {
        while let Some(subscription) = &mut self.0 {
            match subscription.next().await {
                Some(BusEvent::Message(message)) => match *message {
                    LiveMessage::Cancel { .. } => return Hint::Cancel,
                    LiveMessage::Output { .. } | LiveMessage::Beat { .. } | LiveMessage::Typing { .. } => {}
                },
                Some(BusEvent::Lagged) => return Hint::Missed,
                None => self.0 = None,
            }
        }
        std::future::pending().await
    }
}
