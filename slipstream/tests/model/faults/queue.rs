//! A queue that delivers again what somebody has in hand, or has done.

use std::time::Duration;

use async_trait::async_trait;
use slipstream_commands::ports::{Delivery, Job, JobQueue, PortError};
use slipstream_local::InProcessQueue;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};

use super::percent;

/// A queue that delivers some jobs twice, as its seed says: at once, or while the first delivery is long in hand, or after it
/// is done.
pub(crate) struct RepeatingQueue {
    inner: InProcessQueue,
    seed: u64,
    again: mpsc::Sender<(Instant, Job)>,
    repeats: Mutex<Repeats>,
}

struct Repeats {
    published: mpsc::Receiver<(Instant, Job)>,
    /// The next one, which waits for its time.
    next: Option<(Instant, Job)>,
}

/// The second delivery of a job whose first one counts.
struct Repeat(Job);

impl RepeatingQueue {
    pub(crate) fn new(seed: u64) -> Self {
        // Room for a world's jobs; one that does not fit is not repeated.
        let (again, published) = mpsc::channel(4096);
        let repeats = Mutex::new(Repeats { published, next: None });
        Self { inner: InProcessQueue::new(), seed, again, repeats }
    }

    /// Waits for a repeat's time. Cancel-safe.
    async fn repeat(&self) -> Job {
        let mut repeats = self.repeats.lock().await;
        if repeats.next.is_none() {
            repeats.next = repeats.published.recv().await;
        }
        let Some((at, job)) = repeats.next else { return std::future::pending().await };
        sleep_until(at).await;
        repeats.next = None;
        job
    }
}

#[async_trait]
impl JobQueue for RepeatingQueue {
    async fn publish(&self, job: Job) -> Result<(), PortError> {
        self.inner.publish(job).await?;
        let after = match percent((self.seed, job)) {
            0..10 => Duration::ZERO,
            10..20 => Duration::from_millis(200),
            20..25 => Duration::from_secs(2),
            _ => return Ok(()),
        };
        self.again.try_send((Instant::now() + after, job)).ok();
        Ok(())
    }

    async fn next(&self) -> Result<Box<dyn Delivery>, PortError> {
        tokio::select! {
            first = self.inner.next() => first,
            job = self.repeat() => Ok(Box::new(Repeat(job))),
        }
    }
}

#[async_trait]
impl Delivery for Repeat {
    fn job(&self) -> Job {
        self.0
    }

    fn deliveries(&self) -> u32 {
        2
    }

    async fn in_progress(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn ack(self: Box<Self>) -> Result<(), PortError> {
        Ok(())
    }

    async fn nak(self: Box<Self>, _: Duration) -> Result<(), PortError> {
        Ok(())
    }
}
