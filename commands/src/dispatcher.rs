//! Publishes work from the log: every `GenerationRequested` becomes a job, and every generation that has fallen silent one
//! more. There is no dual write; what is lost between the log and the queue, or with a queue's process, is found again in
//! the log. Whether a silent owner is gone is not judged here: the worker that gets the job asks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use slipstream_domain::GenerationId;
use slipstream_eventlog::Position;
use tokio_util::sync::CancellationToken;

use crate::ports::{Job, JobQueue};
use crate::take_over_generation::{FIRST, open_generations};
use crate::{CommandError, Commands};

/// How long nothing may have been recorded of an open generation before its job is published again, and how often that is
/// looked at (`04-streaming-and-resume`, "Owner and lease").
const SILENT: Duration = Duration::from_secs(30);
/// Events read at a time.
const PAGE: usize = 1000;
/// The pause after something did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// From the log to the queue.
pub struct Dispatcher {
    app: Commands,
    queue: Arc<dyn JobQueue>,
    /// How often each open generation was published.
    published: HashMap<GenerationId, u32>,
}

impl Dispatcher {
    /// A dispatcher that has published nothing yet.
    #[must_use]
    pub fn new(app: Commands, queue: Arc<dyn JobQueue>) -> Self {
        Self { app, queue, published: HashMap::new() }
    }

    /// Publishes until it is told to drain: first everything that waits or is silent, then what the feed brings.
    /// Faults of the log or the queue are logged and tried again; nothing is skipped.
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
        self.publish_open(Duration::ZERO).await?;
        let mut again = tokio::time::interval_at(tokio::time::Instant::now() + SILENT, SILENT);
        loop {
            position = self.publish_new(position).await?;
            tokio::select! {
                () = drain.cancelled() => return Ok(()),
                () = wakes.changed() => {}
                _ = again.tick() => self.publish_open(SILENT).await?,
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

    /// Publishes, once more, what has waited for a worker for `at_least` and what a worker took and is silent; forgets
    /// what is over.
    async fn publish_open(&mut self, at_least: Duration) -> Result<(), CommandError> {
        let now = self.app.now();
        let open = open_generations(&self.app).await?;
        let still: HashSet<_> = open.iter().map(|generation| generation.id).collect();
        self.published.retain(|id, _| still.contains(id));
        for generation in open {
            let patience = if generation.version == FIRST { at_least } else { SILENT };
            if now.since(generation.last_at) >= patience {
                self.publish(generation.id).await?;
            }
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
