//! A queue that hands out what a test gives it and tells how each delivery ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_commands::ports::{Delivery, Job, JobQueue, PortError};
use slipstream_domain::GenerationId;
use tokio::sync::{Mutex, mpsc};

use crate::world::SOON;

/// How a delivery ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acked,
    GivenBack(Duration),
    Dropped,
}

/// A queue in the hands of a test.
pub(crate) struct HandedOut {
    jobs: Mutex<mpsc::Receiver<InHand>>,
    give: mpsc::Sender<InHand>,
    /// As many as a test gives jobs.
    outcomes: mpsc::Sender<Outcome>,
    ended: Mutex<mpsc::Receiver<Outcome>>,
}

impl HandedOut {
    pub(crate) fn new() -> Arc<Self> {
        let (give, jobs) = mpsc::channel(16);
        let (outcomes, ended) = mpsc::channel(16);
        Arc::new(Self { jobs: Mutex::new(jobs), give, outcomes, ended: Mutex::new(ended) })
    }

    /// Delivers the job of a generation, published for the `attempt`th time.
    pub(crate) async fn deliver(&self, generation: GenerationId, attempt: u32) {
        let outcomes = self.outcomes.clone();
        let delivery = InHand { job: Job { generation, attempt }, outcomes, outcome: Outcome::Dropped };
        assert!(self.give.send(delivery).await.is_ok());
    }

    /// How the next delivery that ends did so.
    pub(crate) async fn outcome(&self) -> Outcome {
        let mut ended = self.ended.lock().await;
        tokio::time::timeout(SOON, ended.recv()).await.expect("a delivery was to end").unwrap()
    }
}

#[async_trait]
impl JobQueue for HandedOut {
    async fn publish(&self, job: Job) -> Result<(), PortError> {
        self.deliver(job.generation, job.attempt).await;
        Ok(())
    }

    async fn next(&self) -> Result<Box<dyn Delivery>, PortError> {
        let job = self.jobs.lock().await.recv().await;
        Ok(Box::new(job.unwrap()))
    }
}

struct InHand {
    job: Job,
    outcomes: mpsc::Sender<Outcome>,
    outcome: Outcome,
}

#[async_trait]
impl Delivery for InHand {
    fn job(&self) -> Job {
        self.job
    }

    fn deliveries(&self) -> u32 {
        1
    }

    async fn in_progress(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn ack(mut self: Box<Self>) -> Result<(), PortError> {
        self.outcome = Outcome::Acked;
        Ok(())
    }

    async fn nak(mut self: Box<Self>, delay: Duration) -> Result<(), PortError> {
        self.outcome = Outcome::GivenBack(delay);
        Ok(())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Dropped);
        // The channel holds more than a test gives.
        drop(self.outcomes.try_send(outcome));
    }
}
