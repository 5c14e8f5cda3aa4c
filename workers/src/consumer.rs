//! From the queue into the worker's hands: one task a job, as many at once as there are places.

use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::Delivery;
use slipstream_commands::{Opened, open_generation};
use slipstream_domain::GenerationId;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::delivery::{Left, RETRY};
use crate::meters;
use crate::worker::Worker;

/// The pause after a queue that did not answer.
const QUEUE_RETRY: Duration = Duration::from_secs(1);
/// How often a job that cannot be done is tried before it is given up.
const TRIES: u32 = 5;

/// Takes jobs until told to drain, then sees what is in hand out.
pub(crate) async fn consume(worker: Arc<Worker>, tasks: TaskTracker, drain: CancellationToken) {
    while let Some((place, delivery)) = next(&worker, &drain).await {
        let span = tracing::info_span!("make_reply", generation.id = %delivery.job().generation);
        tasks.spawn(handle(Arc::clone(&worker), delivery, place).instrument(span));
    }
    let seen_out = async {
        let _all = worker.places.acquire_many(worker.settings.concurrency).await;
        worker.sides.over().await;
    };
    tokio::select! {
        () = seen_out => {}
        () = tokio::time::sleep(worker.settings.grace) => {
            tracing::warn!("the grace period is over; what is in hand does not go on");
        }
    }
    worker.stop.cancel();
    worker.sides.over().await;
}

/// A place and a job for it; `None` when it is time to drain.
async fn next(
    worker: &Worker,
    drain: &CancellationToken,
) -> Option<(OwnedSemaphorePermit, Box<dyn Delivery>)> {
    let taking = async {
        let place = Arc::clone(&worker.places).acquire_owned().await.ok()?;
        loop {
            match worker.queue.next().await {
                Ok(delivery) => return Some((place, delivery)),
                Err(error) => {
                    tracing::warn!(%error, "no jobs come");
                    tokio::time::sleep(QUEUE_RETRY).await;
                }
            }
        }
    };
    // `next` of the queue is cancel-safe: a job it has not returned stays there.
    tokio::select! {
        biased;
        () = drain.cancelled() => None,
        taken = taking => taken,
    }
}

async fn handle(worker: Arc<Worker>, delivery: Box<dyn Delivery>, _place: OwnedSemaphorePermit) {
    let id = delivery.job().generation;
    if delivery.deliveries() > 1 {
        meters::redelivered();
    }
    let Some(claim) = worker.claims.take(id, Some(delivery)).await else { return };
    // Neither arm is ever given up: keeping alive has no end.
    let left = tokio::select! {
        left = worker.work(id) => left,
        never = claim.keep_alive() => match never {},
    };
    let left = match left {
        Left::Broken if claim.deliveries().await < TRIES => Left::Later(RETRY),
        Left::Broken => {
            tracing::error!("a job is given up; its generation cannot be read or written");
            Left::Broken
        }
        Left::Done | Left::Later(_) | Left::ToAnother => left,
    };
    claim.end(left).await;
}

impl Worker {
    /// Makes a generation's reply, whatever state it is in.
    pub(crate) async fn work(&self, id: GenerationId) -> Left {
        match open_generation(&self.app, id, self.id).await {
            Ok(Opened::Mine(own)) => {
                meters::opened(self.app.now().since(own.request().at));
                self.make(own).await
            }
            Ok(Opened::Over(_)) => Left::Done,
            Ok(Opened::Taken(owner)) if self.is_gone(id, owner).await => {
                self.take_over(id, owner.epoch).await
            }
            Ok(Opened::Taken(_)) => Left::Later(RETRY),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a generation cannot be opened");
                Left::from(&error)
            }
        }
    }
}
