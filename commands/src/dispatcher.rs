//! Publishes work from the log: every `GenerationRequested` becomes a job, and every generation that has fallen silent one
//! more. There is no dual write; what is lost between the log and the queue, or with a queue's process, is found again in
//! the log. Whether a silent owner is gone is not judged here: the worker that gets the job asks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use slipstream_domain::{GenerationId, Timestamp};
use slipstream_eventlog::Position;
use tokio_util::sync::CancellationToken;

use crate::ports::{Job, JobQueue};
use crate::take_over_generation::{FIRST, open_generations};
use crate::{CommandError, Commands};

/// How long nothing may have been recorded of an open generation before its job is published again, and how often that is
/// looked at (`04-streaming-and-resume`, "Owner and lease").
const SILENT: Duration = Duration::from_secs(30);
/// A job that is published again and again and not done is published ever less often: after 30 s, 60 s and so on up to 8
/// minutes. One that waits behind others in the queue is there already.
const MOST_DOUBLINGS: u32 = 4;
/// Events read at a time.
const PAGE: usize = 1000;
/// The pause after something did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// From the log to the queue.
pub struct Dispatcher {
    app: Commands,
    queue: Arc<dyn JobQueue>,
    published: HashMap<GenerationId, Published>,
}

/// An open generation's job.
struct Published {
    times: u32,
    last: Timestamp,
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
            let published = self.published.get(&generation.id);
            let is_due = published.is_none_or(|published| now.since(published.last) >= published.patience());
            if is_due && now.since(generation.last_at) >= patience {
                self.publish(generation.id).await?;
            }
        }
        Ok(())
    }

    async fn publish(&mut self, generation: GenerationId) -> Result<(), CommandError> {
        let attempt = self.published.get(&generation).map_or(0, |published| published.times);
        self.queue.publish(Job { generation, attempt }).await?;
        self.published.insert(generation, Published { times: attempt + 1, last: self.app.now() });
        Ok(())
    }
}

impl Published {
    /// How long it is left alone.
    fn patience(&self) -> Duration {
        SILENT * 2u32.pow((self.times - 1).min(MOST_DOUBLINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_not_done_is_published_ever_less_often_up_to_every_eight_minutes() {
        let patience = |times| Published { times, last: Timestamp::from_micros(0) }.patience().as_secs();
        assert_eq!([1, 2, 3, 4, 5, 6, 1000].map(patience), [30, 60, 120, 240, 480, 480, 480]);
    }
}
