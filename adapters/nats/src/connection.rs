//! One connection a process: made once, mended by itself, and what is told about that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, RequestErrorKind};
use bytes::Bytes;
use slipstream_commands::ports::PortError;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::NatsBus;
use crate::hints::NatsHints;
use crate::names::Names;
use crate::queue::NatsQueue;
use crate::settings::{NatsSettings, SettingsError};

/// How long anything the server has to answer may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);
/// How often a silent server is asked whether it lives; after three questions without an answer it does not.
const PING: Duration = Duration::from_secs(3);
/// The longest pause between two tries to connect again.
const RECONNECT: Duration = Duration::from_secs(2);
/// So long after we have reconnected, everybody has who will: twice the longest pause between two tries, and a second.
const RECONNECTED: Duration = RECONNECT.saturating_mul(2).saturating_add(Duration::from_secs(1));
/// Commands to the server that wait to be written: a burst of some hundred replies. Who finds it full waits a moment.
const OUTGOING: usize = 4096;
/// Messages of one subject that wait to be passed on. Passing on never waits, so this holds only while the runtime is
/// busy elsewhere; beyond it, listeners are told that they lost something.
const INCOMING: usize = 1024;

/// A connection to NATS, for all the ports it serves.
#[derive(Debug)]
pub struct Nats {
    link: Link,
    settings: NatsSettings,
    tasks: TaskTracker,
    closed: CancellationToken,
}

/// What every port needs of the connection.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) names: Names,
    /// When the connection was made anew last; `None` as long as the first one lasts.
    pub(crate) reconnected: watch::Receiver<Option<Instant>>,
    /// Counts that, and messages that could not be passed on.
    pub(crate) lost: watch::Receiver<u64>,
}

/// Why there is no connection, or nothing on it.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No server accepts us.
    #[error("no NATS server accepts us")]
    Connect(#[from] async_nats::ConnectError),
    /// A port cannot be set up on the server.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Nats {
    /// Connects; from then on a lost connection is mended for as long as the process lives. Background work runs on
    /// `tasks` until [`Nats::close`].
    ///
    /// # Errors
    /// The settings cannot be used, or no server answers and accepts us within some seconds.
    pub async fn connect(settings: NatsSettings, tasks: &TaskTracker) -> Result<Self, NatsError> {
        let (reconnects, reconnected) = watch::channel(None);
        let (losses, lost) = watch::channel(0);
        let options = settings
            .options()?
            .name("slipstream")
            .ping_interval(PING)
            .connection_timeout(ANSWER)
            .request_timeout(Some(ANSWER))
            .client_capacity(OUTGOING)
            .subscription_capacity(INCOMING)
            .reconnect_delay_callback(|tries| {
                let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                RECONNECT.min(Duration::from_millis(100).saturating_mul(tries))
            });
        let client = listening(options, reconnects, losses).connect(&settings.servers).await?;
        let link = Link { client, names: Names::new(&settings.prefix), reconnected, lost };
        Ok(Self { link, settings, tasks: tasks.clone(), closed: CancellationToken::new() })
    }

    /// The live bus.
    #[must_use]
    pub fn bus(&self) -> NatsBus {
        NatsBus::new(self.link.clone(), self.tasks.clone(), self.closed.clone())
    }

    /// The job queue; makes its stream and consumer, or brings them to our settings. From `drain` on, what was on its way
    /// to us unasked goes back.
    ///
    /// # Errors
    /// The server has no JetStream, or does not let us.
    pub async fn queue(&self, drain: CancellationToken) -> Result<NatsQueue, NatsError> {
        Ok(NatsQueue::open(self.link.clone(), &self.settings, &self.tasks, drain).await?)
    }

    /// Hints between the logs of processes. One for each log.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn hints(&self) -> Result<NatsHints, NatsError> {
        Ok(NatsHints::open(&self.link).await?)
    }

    /// Whether the server has JetStream and lets us use it. Changes nothing there.
    ///
    /// # Errors
    /// It has not, or does not answer.
    pub async fn has_jetstream(&self) -> Result<(), NatsError> {
        let mut jetstream = async_nats::jetstream::new(self.link.client.clone());
        jetstream.set_timeout(ANSWER);
        let asked = jetstream.query_account().await;
        asked.map_err(|error| PortError { port: "job queue", reason: error.to_string() })?;
        Ok(())
    }

    /// Whether there is a connection, for readiness.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.is_connected()
    }

    /// Sends what waits to be sent, then ends the connection. Bounded. Every subscription ends.
    pub async fn close(&self) {
        self.closed.cancel();
        match timeout(ANSWER, self.link.client.drain()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "NATS was closed already"),
            Err(_) => tracing::debug!("NATS does not answer; closed without it"),
        }
    }
}

/// Counts what a reader has to know of.
fn listening(
    options: ConnectOptions,
    reconnects: watch::Sender<Option<Instant>>,
    losses: watch::Sender<u64>,
) -> ConnectOptions {
    let broken = Arc::new(AtomicBool::new(false));
    let (reconnects, losses) = (Arc::new(reconnects), Arc::new(losses));
    options.event_callback(move |event| {
        match event {
            Event::Disconnected => {
                tracing::warn!("the connection to NATS is lost");
                broken.store(true, Ordering::SeqCst);
            }
            Event::Connected if broken.swap(false, Ordering::SeqCst) => {
                tracing::info!("NATS is back");
                reconnects.send_replace(Some(Instant::now()));
                losses.send_modify(|count| *count += 1);
            }
            Event::SlowConsumer(_) => losses.send_modify(|count| *count += 1),
            Event::ServerError(error) => tracing::warn!(%error, "NATS complains"),
            Event::ClientError(error) => tracing::warn!(%error, "the NATS client complains"),
            Event::Connected | Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
        std::future::ready(())
    })
}

impl Link {
    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Whether those who were connected with us may not be again yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.reconnected.borrow().is_some_and(|at| at.elapsed() < RECONNECTED)
    }

    /// Returns when the server has done all we have sent it until now. It answers a request that nobody listens to
    /// itself, and does what one connection sends in order.
    pub(crate) async fn done_by_server(&self) -> Result<(), String> {
        match timeout(ANSWER, self.client.request(self.names.nobody(), Bytes::new())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer in {} s", ANSWER.as_secs())),
        }
    }
}
