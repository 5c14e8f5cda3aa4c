//! The job queue of one process. It forgets everything with the process: on start the dispatcher publishes again what the
//! log says is waiting.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use slipstream_commands::ports::{Delivery, Job, JobQueue, PortError};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lock;

/// How long a delivery stays somebody's without a sign of life (`04-streaming-and-resume`, "Owner and lease").
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How long a message id is remembered.
const REMEMBERED: Duration = Duration::from_mins(2);
/// Jobs at most, waiting or in hand: about 10 MB. The dispatcher keeps trying, and the log keeps what is not here.
const MOST_JOBS: usize = 65_536;

/// A queue in memory.
#[derive(Debug, Default)]
pub struct InProcessQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    jobs: Mutex<Jobs>,
    /// Something may be deliverable earlier than a waiter thinks.
    changed: Notify,
}

/// A job's number in this queue; publishing gives them out in order.
type Serial = u64;

#[derive(Debug, Default)]
struct Jobs {
    next: Serial,
    known: HashMap<Serial, Known>,
    /// When each job may be handed out next. A job in hand stands here with the end of its holder's time.
    due: BTreeSet<(Instant, Serial)>,
    seen: HashSet<Job>,
    /// `seen` by age.
    seen_at: VecDeque<(Instant, Job)>,
}

#[derive(Debug)]
struct Known {
    job: Job,
    deliveries: u32,
    due: Instant,
}

impl InProcessQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl JobQueue for InProcessQueue {
    async fn publish(&self, job: Job) -> Result<(), PortError> {
        lock(&self.0.jobs).publish(job, Instant::now())?;
        self.0.changed.notify_waiters();
        Ok(())
    }

    async fn next(&self) -> Result<Box<dyn Delivery>, PortError> {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // Armed before looking, so that what is published in between wakes it.
            changed.as_mut().enable();
            let earliest = match lock(&self.0.jobs).take(Instant::now()) {
                Ok((serial, job, deliveries)) => {
                    let queue = Arc::clone(&self.0);
                    return Ok(Box::new(InHand { queue, serial, job, deliveries }));
                }
                Err(earliest) => earliest,
            };
            match earliest {
                Some(earliest) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(earliest) => {}
                },
                None => changed.await,
            }
        }
    }
}

impl Jobs {
    fn publish(&mut self, job: Job, now: Instant) -> Result<(), PortError> {
        while let Some((_, old)) = self.seen_at.pop_front_if(|(at, _)| now.duration_since(*at) >= REMEMBERED)
        {
            self.seen.remove(&old);
        }
        if self.seen.contains(&job) {
            return Ok(());
        }
        if self.known.len() >= MOST_JOBS {
            return Err(PortError { port: "job queue", reason: format!("{MOST_JOBS} jobs wait already") });
        }
        self.seen.insert(job);
        self.seen_at.push_back((now, job));
        let serial = self.next;
        self.next += 1;
        self.known.insert(serial, Known { job, deliveries: 0, due: now });
        self.due.insert((now, serial));
        Ok(())
    }

    /// Hands out the job that has been due longest; else says when the next one is.
    fn take(&mut self, now: Instant) -> Result<(Serial, Job, u32), Option<Instant>> {
        let (due, serial) = self.due.first().copied().ok_or(None)?;
        if due > now {
            return Err(Some(due));
        }
        self.postpone(serial, now + ACK_WAIT);
        let known = self.known.get_mut(&serial).ok_or(None)?;
        known.deliveries += 1;
        Ok((serial, known.job, known.deliveries))
    }

    fn postpone(&mut self, serial: Serial, until: Instant) {
        if let Some(known) = self.known.get_mut(&serial) {
            self.due.remove(&(known.due, serial));
            known.due = until;
            self.due.insert((until, serial));
        }
    }

    fn remove(&mut self, serial: Serial) {
        if let Some(known) = self.known.remove(&serial) {
            self.due.remove(&(known.due, serial));
        }
    }
}

/// A delivery. Dropped without a word, it comes back when its time is over.
struct InHand {
    queue: Arc<Shared>,
    serial: Serial,
    job: Job,
    deliveries: u32,
}

impl InHand {
    /// Moves the end of this delivery's time; nothing when the job was delivered to somebody else since.
    fn postpone(&self, until: Instant) {
        let mut jobs = lock(&self.queue.jobs);
        if jobs.known.get(&self.serial).is_some_and(|known| known.deliveries == self.deliveries) {
            jobs.postpone(self.serial, until);
        }
    }
}

#[async_trait]
impl Delivery for InHand {
    fn job(&self) -> Job {
        self.job
    }

    fn deliveries(&self) -> u32 {
        self.deliveries
    }

    async fn in_progress(&self) -> Result<(), PortError> {
        self.postpone(Instant::now() + ACK_WAIT);
        Ok(())
    }

    async fn ack(self: Box<Self>) -> Result<(), PortError> {
        lock(&self.queue.jobs).remove(self.serial);
        Ok(())
    }

    async fn nak(self: Box<Self>, delay: Duration) -> Result<(), PortError> {
        self.postpone(Instant::now() + delay);
        self.queue.changed.notify_waiters();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::GenerationId;
    use uuid::Uuid;

    use super::*;

    fn job(n: u128) -> Job {
        Job { generation: GenerationId::from_uuid(Uuid::from_u128(n)), attempt: 0 }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_published_and_done_leaves_nothing_behind_after_two_minutes() {
        let queue = InProcessQueue::new();
        for n in 0..1000 {
            queue.publish(job(n)).await.unwrap();
            queue.next().await.unwrap().ack().await.unwrap();
        }
        tokio::time::advance(REMEMBERED).await;
        queue.publish(job(1000)).await.unwrap();
        let jobs = lock(&queue.0.jobs);
        assert_eq!((jobs.known.len(), jobs.due.len(), jobs.seen.len(), jobs.seen_at.len()), (1, 1, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_and_forgets_that_it_was_asked() {
        let queue = InProcessQueue::new();
        for n in 0..MOST_JOBS as u128 {
            queue.publish(job(n)).await.unwrap();
        }
        let one_more = job(MOST_JOBS as u128);
        assert!(queue.publish(one_more).await.is_err());
        queue.next().await.unwrap().ack().await.unwrap();
        queue.publish(one_more).await.unwrap();
        assert_eq!(lock(&queue.0.jobs).known.len(), MOST_JOBS);
    }
}
