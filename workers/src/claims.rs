//! Which generations this process has in hand, each once, and the deliveries that are kept alive meanwhile.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slipstream_commands::ports::Delivery;
use slipstream_domain::GenerationId;

use crate::delivery::Left;
use crate::meters::InHand;

/// How often a queue hears that work goes on; it waits 30 s (`04-streaming-and-resume`, "Owner and lease").
const IN_PROGRESS: Duration = Duration::from_secs(5);

/// The generations in hand.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashMap<GenerationId, Arc<Deliveries>>>);

/// Usually one; none when no job led here; more when the job was published or delivered again meanwhile.
type Deliveries = tokio::sync::Mutex<Vec<Box<dyn Delivery>>>;

/// A generation in hand; let go when dropped.
pub(crate) struct Claim<'a> {
    claims: &'a Claims,
    id: GenerationId,
    deliveries: Arc<Deliveries>,
    _in_hand: InHand,
}

impl Claims {
    /// Takes a generation in hand, unless it is already: then `None`, and the claim that has it keeps `delivery` alive
    /// beside its own and ends it with them.
    pub(crate) async fn take(
        &self,
        id: GenerationId,
        delivery: Option<Box<dyn Delivery>>,
    ) -> Option<Claim<'_>> {
        let (claim, deliveries) = match self.lock().entry(id) {
            std::collections::hash_map::Entry::Occupied(taken) => (None, Arc::clone(taken.get())),
            std::collections::hash_map::Entry::Vacant(free) => {
                let deliveries = Arc::clone(free.insert(Arc::default()));
                let (kept, in_hand) = (Arc::clone(&deliveries), InHand::count());
                (Some(Claim { claims: self, id, deliveries: kept, _in_hand: in_hand }), deliveries)
            }
        };
        if let Some(delivery) = delivery {
            let mut held = deliveries.lock().await;
            // The same message again: the delivery before is not ours any more.
            held.retain(|earlier| earlier.job() != delivery.job());
            held.push(delivery);
        }
        claim
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GenerationId, Arc<Deliveries>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// Keeps the deliveries alive for as long as it is polled.
    pub(crate) async fn keep_alive(&self) -> Infallible {
        loop {
            tokio::time::sleep(IN_PROGRESS).await;
            for delivery in self.deliveries.lock().await.iter() {
                if let Err(error) = delivery.in_progress().await {
                    tracing::warn!(%error, generation = %self.id, "the queue did not hear that work goes on");
                }
            }
        }
    }

    /// How often the job has been delivered; 0 without one.
    pub(crate) async fn deliveries(&self) -> u32 {
        self.deliveries.lock().await.iter().map(|delivery| delivery.deliveries()).max().unwrap_or(0)
    }

    /// Ends the deliveries as the generation was left. One that joins at this very moment is dropped; its queue delivers
    /// it again.
    pub(crate) async fn end(self, left: Left) {
        let deliveries = std::mem::take(&mut *self.deliveries.lock().await);
        for delivery in deliveries {
            let ended = match left {
                Left::Done | Left::Broken => delivery.ack().await,
                Left::Later(delay) => delivery.nak(delay).await,
                Left::ToAnother => Ok(()),
            };
            if let Err(error) = ended {
                tracing::warn!(%error, generation = %self.id, "the queue did not hear how a job ended");
            }
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use slipstream_commands::ports::{Job, JobQueue};
    use slipstream_local::InProcessQueue;
    use uuid::Uuid;

    use super::*;

    fn id() -> GenerationId {
        GenerationId::from_uuid(Uuid::nil())
    }

    async fn delivered(queue: &InProcessQueue, attempt: u32) -> Box<dyn Delivery> {
        queue.publish(Job { generation: id(), attempt }).await.unwrap();
        queue.next().await.unwrap()
    }

    async fn nothing_comes_within(queue: &InProcessQueue, seconds: u64) -> bool {
        tokio::time::timeout(Duration::from_secs(seconds), queue.next()).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_delivered_again_joins_the_claim_that_has_its_generation_and_ends_with_it() {
        let (claims, queue) = (Claims::default(), InProcessQueue::new());
        let claim = claims.take(id(), Some(delivered(&queue, 0).await)).await.unwrap();
        assert!(claims.take(id(), Some(delivered(&queue, 1).await)).await.is_none());
        tokio::select! {
            never = claim.keep_alive() => match never {},
            nothing = nothing_comes_within(&queue, 300) => assert!(nothing, "a job in hand was delivered again"),
        }
        claim.end(Left::Done).await;
        assert!(nothing_comes_within(&queue, 300).await, "a job that is done was delivered again");
        assert!(claims.take(id(), None).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_given_back_comes_again_and_one_that_is_anothers_is_left_alone() {
        let (claims, queue) = (Claims::default(), InProcessQueue::new());
        let claim = claims.take(id(), Some(delivered(&queue, 0).await)).await.unwrap();
        claim.end(Left::Later(Duration::from_secs(10))).await;
        assert!(nothing_comes_within(&queue, 9).await);
        let again = queue.next().await.unwrap();
        let claim = claims.take(id(), Some(again)).await.unwrap();
        assert_eq!(claim.deliveries().await, 2);
        claim.end(Left::ToAnother).await;
        assert!(nothing_comes_within(&queue, 29).await);
        assert_eq!(
            queue.next().await.unwrap().deliveries(),
            3,
            "as its new owner's queue would, were it gone"
        );
    }
}
