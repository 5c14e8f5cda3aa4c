//! The live bus, on core subjects.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::RequestErrorKind;
use async_trait::async_trait;
use bytes::Bytes;
use slipstream_commands::ports::{LiveBus, LiveMessage, PortError, Subject, Subscription};
use slipstream_domain::GenerationId;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{ANSWER, Link};
use crate::listeners::Listeners;
use crate::wire;

/// How long a publisher waits for room among what waits to be written, once; then it does not wait again until there is.
const ROOM: Duration = Duration::from_millis(100);
/// How long an owner may take to say that it lives.
const OWNER: Duration = Duration::from_secs(1);

/// A bus on NATS. What is published while there is no connection is lost, as the port allows: readers learn of it from
/// the next beat. After a lost connection every subscription says [`Lagged`](slipstream_commands::ports::BusEvent::Lagged).
#[derive(Debug)]
pub struct NatsBus {
    link: Link,
    listeners: Arc<Listeners>,
    /// The last message found no room.
    stalled: AtomicBool,
    tasks: TaskTracker,
    closed: CancellationToken,
}

impl NatsBus {
    pub(crate) fn new(link: Link, tasks: TaskTracker, closed: CancellationToken) -> Self {
        let listeners = Arc::new(Listeners::default());
        tasks.spawn(tell_of_losses(link.clone(), Arc::clone(&listeners), closed.clone()));
        Self { link, listeners, stalled: AtomicBool::new(false), tasks, closed }
    }

    async fn send(&self, subject: Subject, message: &LiveMessage) -> Result<(), &'static str> {
        if !self.link.is_connected() {
            return Err("disconnected");
        }
        let bytes = wire::encode(message).map_err(|_| "encoding")?;
        let patience = if self.stalled.load(Ordering::Relaxed) { Duration::ZERO } else { ROOM };
        // With no patience at all it is still sent when there is room: the time-out looks at the sending first.
        let sent = timeout(patience, self.link.client.publish(self.link.names.live(subject), bytes)).await;
        self.stalled.store(sent.is_err(), Ordering::Relaxed);
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("refused"),
            Err(_) => Err("stalled"),
        }
    }
}

/// Until the bus is closed.
async fn tell_of_losses(mut link: Link, listeners: Arc<Listeners>, closed: CancellationToken) {
    let telling = async {
        while link.lost.changed().await.is_ok() {
            // First the subscriptions have to stand again: what a listener reads on our word, it must not miss after.
            if let Err(reason) = link.done_by_server().await {
                tracing::debug!(reason, "NATS went away again");
            }
            listeners.tell_of_loss().await;
        }
    };
    tokio::select! {
        () = closed.cancelled() => {}
        () = telling => {}
    }
}

#[async_trait]
impl LiveBus for NatsBus {
    async fn publish(&self, subject: Subject, message: Arc<LiveMessage>) {
        if let Err(reason) = self.send(subject, &message).await {
            metrics::counter!("slipstream_bus_unsent_total", "reason" => reason).increment(1);
        }
    }

    async fn subscribe(&self, subject: Subject) -> Result<Box<dyn Subscription>, PortError> {
        let subscribing = async {
            let (listening, first) = self.listeners.join(&self.link, subject).await?;
            if let Some(first) = first {
                let (listeners, link) = (Arc::clone(&self.listeners), self.link.clone());
                self.tasks.spawn(listeners.pass_on(link, subject, first, self.closed.clone()));
            }
            // Also when it is not the first: that one's subscription may still be on its way.
            self.link.done_by_server().await?;
            Ok(Box::new(listening) as Box<dyn Subscription>)
        };
        let subscribed = timeout(ANSWER, subscribing).await;
        let subscribed = subscribed.unwrap_or_else(|_| Err("the server does not answer".to_owned()));
        subscribed.map_err(|reason| PortError { port: "live bus", reason })
    }

    async fn owner_answers(&self, generation: GenerationId) -> Result<bool, PortError> {
        let cannot_tell = |reason: &str| Err(PortError { port: "live bus", reason: reason.to_owned() });
        if !self.link.is_connected() {
            return cannot_tell("there is no connection");
        }
        let owner = self.link.names.live(Subject::Owner(generation));
        match timeout(OWNER, self.link.client.request(owner, Bytes::new())).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(error)) if error.kind() != RequestErrorKind::NoResponders => {
                cannot_tell(&error.to_string())
            }
            Ok(Err(_)) | Err(_) if self.link.is_fresh() || !self.link.is_connected() => {
                cannot_tell("the connection was lost a moment ago")
            }
            Ok(Err(_)) | Err(_) => Ok(false),
        }
    }
}
