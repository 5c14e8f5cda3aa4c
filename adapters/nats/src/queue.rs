//! The job queue, as a JetStream work queue: one stream, one durable pull consumer that all workers share.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Batch, Config as ConsumerConfig};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{AckKind, Context, Message};
use async_trait::async_trait;
use futures::StreamExt;
use slipstream_commands::ports::{Delivery, Job, JobQueue, PortError};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{ANSWER, Link};
use crate::delivery::{self, InHand};
use crate::settings::NatsSettings;

/// The consumer's name.
const WORKERS: &str = "workers";
/// Jobs kept at most, about 200 MB. A full queue refuses; the dispatcher tries again, and the log keeps what is not here.
const MOST_JOBS: i64 = 1_000_000;
/// How long the server keeps one request for a job. What a given-up wait has left behind is over after that.
const REQUEST: Duration = Duration::from_secs(2);

/// A queue on JetStream.
#[derive(Debug)]
pub struct NatsQueue {
    link: Link,
    jetstream: Context,
    stream: StreamConfig,
    consumer: ConsumerConfig,
    asked: Arc<Mutex<Asked>>,
}

/// Our open request for one job. It outlives the wait that made it, so that giving up a wait loses no job; it is
/// made only when somebody waits, so that no job lies here while another worker is free.
#[derive(Debug, Default)]
struct Asked {
    consumer: Option<PullConsumer>,
    request: Option<Request>,
}

struct Request {
    answers: Batch,
    /// A new connection since: the server has forgotten the request, and perhaps the consumer too.
    forgotten: watch::Receiver<Option<Instant>>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

impl NatsQueue {
    pub(crate) async fn open(
        link: Link,
        settings: &NatsSettings,
        tasks: &TaskTracker,
        drain: CancellationToken,
    ) -> Result<Self, PortError> {
        let mut jetstream = async_nats::jetstream::new(link.client.clone());
        jetstream.set_timeout(ANSWER);
        let stream = StreamConfig {
            name: link.names.jobs_stream(),
            subjects: vec![link.names.jobs()],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: MOST_JOBS,
            storage: StorageType::File,
            num_replicas: settings.replicas,
            duplicate_window: settings.duplicate_window,
            ..StreamConfig::default()
        };
        let consumer = ConsumerConfig {
            durable_name: Some(WORKERS.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.ack_wait,
            max_deliver: -1,
            max_ack_pending: i64::from(settings.in_hand),
            ..ConsumerConfig::default()
        };
        let asked = Arc::new(Mutex::new(Asked::default()));
        let queue = Self { link, jetstream, stream, consumer, asked: Arc::clone(&asked) };
        asked.lock().await.consumer = Some(queue.ensure().await?);
        tasks.spawn(async move {
            drain.cancelled().await;
            // A wait that is not given up keeps its request; it takes the job itself.
            if let Ok(mut asked) = timeout(REQUEST, asked.lock()).await {
                give_back(asked.request.take()).await;
            }
        });
        Ok(queue)
    }

    /// Makes the stream and the consumer, or brings them to our settings. Safe to do at any time, by any number.
    async fn ensure(&self) -> Result<PullConsumer, PortError> {
        let stream = self.jetstream.create_or_update_stream(self.stream.clone()).await;
        stream.map_err(|error| unavailable(&error))?;
        let consumer =
            self.jetstream.create_consumer_on_stream(self.consumer.clone(), self.stream.name.as_str()).await;
        consumer.map_err(|error| unavailable(&error))
    }

    async fn request(&self, asked: &mut Asked) -> Result<Request, PortError> {
        let consumer = match &mut asked.consumer {
            Some(consumer) => consumer,
            none @ None => none.insert(self.ensure().await?),
        };
        let mut forgotten = self.link.reconnected.clone();
        forgotten.mark_unchanged();
        let answers = consumer.batch().max_messages(1).expires(REQUEST).messages().await;
        Ok(Request { answers: answers.map_err(|error| unavailable(&error))?, forgotten })
    }

    /// The answer to the open request, which is used up with it; `None` when there is none: ask again.
    async fn answer(asked: &mut Asked) -> Result<Option<Message>, PortError> {
        let Some(Request { answers, forgotten }) = &mut asked.request else { return Ok(None) };
        let answer = tokio::select! {
            biased;
            answer = answers.next() => answer,
            _ = forgotten.changed() => {
                asked.consumer = None;
                None
            }
        };
        asked.request = None;
        match answer {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(message)),
            Some(Err(error)) => {
                asked.consumer = None;
                Err(unavailable(&error))
            }
        }
    }

    async fn send(&self, job: Job) -> Result<(), async_nats::jetstream::context::PublishError> {
        let id = job.message_id();
        let message = PublishMessage::build().message_id(&id).payload(id.into());
        self.jetstream.send_publish(self.link.names.jobs(), message).await?.await?;
        Ok(())
    }
}

/// What came to us unasked goes to somebody else.
async fn give_back(request: Option<Request>) {
    let Some(Request { mut answers, .. }) = request else { return };
    while let Some(Ok(message)) = answers.next().await {
        if let Err(error) = message.ack_with(AckKind::Nak(None)).await {
            tracing::debug!(%error, "a job comes again only when its time is over");
        }
    }
}

#[async_trait]
impl JobQueue for NatsQueue {
    async fn publish(&self, job: Job) -> Result<(), PortError> {
        if !self.link.is_connected() {
            return Err(unavailable(&"there is no connection"));
        }
        let sending = async {
            match self.send(job).await {
                Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                    self.ensure().await?;
                    self.send(job).await.map_err(|error| unavailable(&error))
                }
                sent => sent.map_err(|error| unavailable(&error)),
            }
        };
        timeout(ANSWER, sending).await.unwrap_or_else(|_| Err(unavailable(&"no answer")))
    }

    async fn next(&self) -> Result<Box<dyn Delivery>, PortError> {
        let mut asked = self.asked.lock().await;
        loop {
            if asked.request.is_none() {
                asked.request = Some(self.request(&mut asked).await?);
            }
            let Some(message) = Self::answer(&mut asked).await? else { continue };
            match delivery::read(&message) {
                Ok((job, deliveries)) => return Ok(Box::new(InHand { message, job, deliveries })),
                Err(reason) => {
                    tracing::error!(reason, "a message that is no job is taken out of the queue");
                    message.ack_with(AckKind::Term).await.map_err(|error| unavailable(&error))?;
                }
            }
        }
    }
}

pub(crate) fn unavailable(reason: &dyn std::fmt::Display) -> PortError {
    PortError { port: "job queue", reason: reason.to_string() }
}
