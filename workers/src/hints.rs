//! What an owner hears on the live bus: that its user wants it to stop.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use slipstream_commands::Ownership;
use slipstream_commands::ports::{BusEvent, LiveBus, LiveMessage, PortError, Subject, Subscription};

use crate::worker::Worker;

/// The pause before a bus that took no listener is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What the owner's subject of the live bus says.
pub(crate) struct Hints {
    bus: Arc<dyn LiveBus>,
    subject: Subject,
    ear: Ear,
}

enum Ear {
    Open(Box<dyn Subscription>),
    /// Until the bus takes us.
    Opening(BoxFuture<'static, Box<dyn Subscription>>),
}

pub(crate) enum Hint {
    /// The user wants the reply to stop; the log has the wish.
    Cancel,
    /// Something was said that did not arrive.
    Missed,
}

impl Hints {
    /// From now on the owner also answers whoever asks whether it lives. While there is no bus there are no hints, and the
    /// log is looked at as often as ever.
    pub(crate) async fn listen(worker: &Worker, own: &Ownership) -> Self {
        let (bus, subject) = (Arc::clone(worker.app.bus()), Subject::Owner(own.id()));
        let ear = match bus.subscribe(subject).await {
            Ok(subscription) => Ear::Open(subscription),
            Err(error) => Ear::opening(Arc::clone(&bus), subject, Some(error)),
        };
        Self { bus, subject, ear }
    }

    /// The next hint. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Hint {
        loop {
            match &mut self.ear {
                Ear::Open(subscription) => match subscription.next().await {
                    Some(BusEvent::Message(message)) => match *message {
                        LiveMessage::Cancel { .. } => return Hint::Cancel,
                        LiveMessage::Output { .. }
                        | LiveMessage::Beat { .. }
                        | LiveMessage::Typing { .. }
                        | LiveMessage::File { .. }
                        | LiveMessage::SignedOut { .. }
                        | LiveMessage::SettingsUpdated { .. }
                        | LiveMessage::ApiKeyUpdated { .. } => {}
                    },
                    Some(BusEvent::Lagged) => return Hint::Missed,
                    None => self.ear = Ear::opening(Arc::clone(&self.bus), self.subject, None),
                },
                Ear::Opening(opening) => {
                    self.ear = Ear::Open(opening.await);
                    return Hint::Missed;
                }
            }
        }
    }
}

impl Ear {
    fn opening(bus: Arc<dyn LiveBus>, subject: Subject, error: Option<PortError>) -> Self {
        tracing::warn!(error = error.map(tracing::field::display), "an owner is without hints");
        let opening = async move {
            loop {
                tokio::time::sleep(RETRY).await;
                if let Ok(subscription) = bus.subscribe(subject).await {
                    return subscription;
                }
            }
        };
        Self::Opening(opening.boxed())
    }
}
