//! The queue between the log and the workers.

use std::time::Duration;

use async_trait::async_trait;
use slipstream_domain::GenerationId;

use super::PortError;

/// Work: make this generation's reply. Everything else is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Job {
    /// Which generation.
    pub generation: GenerationId,
    /// How often it was published: 0 from the feed, then one more each time the dispatcher finds it still waiting.
    pub attempt: u32,
}

impl Job {
    /// What the queue recognises a repeat by: `<generationId>:<attempt>`.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}:{}", self.generation, self.attempt)
    }
}

/// A queue of jobs.
///
/// Laws: a published job is delivered at least once, until it is acknowledged; a second job with the same
/// [`Job::message_id`] is dropped while the queue remembers the first (two minutes at least); a delivery that is neither
/// acknowledged nor kept alive by [`Delivery::in_progress`] for 30 s is delivered again, to anybody.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Adds a job.
    async fn publish(&self, job: Job) -> Result<(), PortError>;

    /// Waits for a job. Cancel-safe: a job is either returned or stays in the queue.
    async fn next(&self) -> Result<Box<dyn Delivery>, PortError>;
}

/// A job in somebody's hands.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// The job.
    fn job(&self) -> Job;

    /// How often the job has been delivered, this time included.
    fn deliveries(&self) -> u32;

    /// Still at it: the 30 s begin anew.
    async fn in_progress(&self) -> Result<(), PortError>;

    /// Done; it is not delivered again.
    async fn ack(self: Box<Self>) -> Result<(), PortError>;

    /// Given back; it is delivered again after `delay`.
    async fn nak(self: Box<Self>, delay: Duration) -> Result<(), PortError>;
}
