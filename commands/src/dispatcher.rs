//! Publishes work from the log: every `GenerationRequested` becomes a job. There is no dual write; what is lost between
//! the log and the queue is found again in the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use slipstream_domain::GenerationId;
use slipstream_eventlog::Position;
use tokio_util::sync::CancellationToken;

use crate::ports::{Job, JobQueue};
use crate::take_over_generation::{FIRST, open_generations};
use crate::{CommandError, Commands};

/// How long a generation may wait for a worker before its job is published again
/// (`04-streaming-and-resume`, "Owner and lease").
const WAITS_TOO_LONG: Duration = Duration::from_secs(30);
/// Events read at a time.
const PAGE: usize = 1000;
/// The pause after something did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// From the log to the queue.
pub struct Dispatcher {
    app: Commands,
    queue: Arc<dyn JobQueue>,
    /// How often each generation that still waits was published.
    published: HashMap<GenerationId, u32>,
}

impl Dispatcher {
    /// A dispatcher that has published nothing yet.
    #[must_use]
    pub fn new(app: Commands, queue: Arc<dyn JobQueue>) -> Self {
        Self { app, queue, published: HashMap::new() }
    }

    /// Publishes until it is told to drain: first everything that waits, then what the feed brings. Faults of the log or
    /// the queue are logged and tried again; nothing is skipped.
    pub async fn run(mut self, drain: CancellationToken) {
        while let Err(error) = self.follow(&drain).await {
            tracing::warn!(%error, "the dispatcher tries again");
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn follow(&mut self, drain: &CancellationToken) -> Result<(), CommandError> {
        let mut wakes = self.app.log.wakes();
        let mut position = self.app.log.head().await?.position;
        self.publish_waiting(Duration::ZERO).await?;
        let mut again =
            tokio::time::interval_at(tokio::time::Instant::now() + WAITS_TOO_LONG, WAITS_TOO_LONG);
        loop {
            position = self.publish_new(position).await?;
            tokio::select! {
                () = drain.cancelled() => return Ok(()),
                () = wakes.changed() => {}
                _ = again.tick() => self.publish_waiting(WAITS_TOO_LONG).await?,
            }
        }
    }

    /// Publishes what was requested after `from`; answers where it stopped reading.
    async fn publish_new(&mut self, from: Position) -> Result<Position, CommandError> {
        let mut position = from;
        loop {
            let page = self.app.log.feed(position, PAGE).await?;
            let Some(last) = page.last().map(|event| event.position) else { return Ok(position) };
            for event in page.iter().filter(|event| &*event.event_type == "GenerationRequested") {
                self.publish(GenerationId::from_uuid(event.stream.as_uuid())).await?;
            }
            position = last;
        }
    }

    /// Publishes what has waited for `at_least`, once more, and forgets the rest.
    async fn publish_waiting(&mut self, at_least: Duration) -> Result<(), CommandError> {
        let now = self.app.now();
        let open = open_generations(&self.app).await?;
        let waiting: Vec<_> = open.into_iter().filter(|generation| generation.version == FIRST).collect();
        let still: std::collections::HashSet<_> = waiting.iter().map(|generation| generation.id).collect();
        self.published.retain(|id, _| still.contains(id));
        for generation in waiting.iter().filter(|generation| now.since(generation.last_at) >= at_least) {
            self.publish(generation.id).await?;
        }
        Ok(())
    }

    async fn publish(&mut self, generation: GenerationId) -> Result<(), CommandError> {
        let attempts = self.published.entry(generation).or_insert(0);
        let job = Job { generation, attempt: *attempts };
        self.queue.publish(job).await?;
        *attempts += 1;
        Ok(())
    }
}
