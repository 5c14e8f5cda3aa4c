//! Who listens to what in this process. A subject has one subscription on the server however many listen here: the
//! server sends its messages once, and they are decoded once. One task a subject passes them on and never waits for
//! anybody; who is slow is told what it lost.

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::{Message, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use slipstream_commands::ports::{BusEvent, Subject, Subscription};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, broadcast};
use tokio_util::sync::CancellationToken;

use crate::connection::Link;
use crate::wire;

type Events = broadcast::Sender<BusEvent>;

/// The subjects somebody listens to. Held only for as long as it takes to hand the server a command.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<HashMap<Subject, Events>>);

impl Listeners {
    /// A listener to a subject; with it the subject's subscription, when it is the first, which the caller has to
    /// [`pass on`](Listeners::pass_on).
    pub(crate) async fn join(
        &self,
        link: &Link,
        subject: Subject,
    ) -> Result<(Listening, Option<(Subscriber, Events)>), String> {
        let mut subjects = self.0.lock().await;
        if let Some(events) = subjects.get(&subject) {
            return Ok((Listening(events.subscribe()), None));
        }
        let subscriber = link.client.subscribe(link.names.live(subject)).await.map_err(|e| e.to_string())?;
        let (events, listening) = broadcast::channel(subject.backlog());
        subjects.insert(subject, events.clone());
        Ok((Listening(listening), Some((subscriber, events))))
    }

    /// Passes messages of a subject on until nobody listens, or the connection is closed.
    pub(crate) async fn pass_on(
        self: Arc<Self>,
        link: Link,
        subject: Subject,
        (mut subscriber, events): (Subscriber, Events),
        closed: CancellationToken,
    ) {
        loop {
            tokio::select! {
                biased;
                () = closed.cancelled() => break,
                () = events.closed() => {
                    let mut subjects = self.0.lock().await;
                    if events.receiver_count() == 0 {
                        subjects.remove(&subject);
                        return;
                    }
                }
                message = subscriber.next() => match message {
                    Some(message) => hear(&link, subject, &message, &events),
                    None => break,
                },
            }
        }
        // Without their sender, the listeners hear that the bus is gone.
        self.0.lock().await.remove(&subject);
    }

    /// Tells everybody that something may be missing.
    pub(crate) async fn tell_of_loss(&self) {
        for events in self.0.lock().await.values() {
            // It fails only when nobody listens.
            drop(events.send(BusEvent::Lagged));
        }
    }
}

fn hear(link: &Link, subject: Subject, message: &Message, events: &Events) {
    if let (Subject::Owner(_), Some(asker)) = (subject, &message.reply) {
        // Somebody asks whether the owner lives. Said at once or not at all: the asker takes silence for a no and asks
        // the log before it acts on that.
        drop(link.client.publish(asker.clone(), Bytes::new()).now_or_never());
        return;
    }
    match wire::decode(&message.payload) {
        Ok(message) => drop(events.send(BusEvent::Message(Arc::new(message)))),
        Err(error) => {
            metrics::counter!("slipstream_bus_unreadable_total").increment(1);
            tracing::debug!(%error, "skipped");
        }
    }
}

/// One listener. Dropping it is enough to end it.
pub(crate) struct Listening(broadcast::Receiver<BusEvent>);

#[async_trait]
impl Subscription for Listening {
    async fn next(&mut self) -> Option<BusEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(_)) => Some(BusEvent::Lagged),
            Err(RecvError::Closed) => None,
        }
    }
}
