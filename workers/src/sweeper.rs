//! Finds generations that have lost their owner without a job that would tell. A takeover begins a new epoch by
//! compare-and-swap, so two sweepers at once do no harm: one of them is fenced.

use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::{Abandoned, CommandError, abandoned_generations};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::delivery::Left;
use crate::worker::Worker;

/// How long nothing may have been recorded of a generation before it is looked at (`04-streaming-and-resume`, "Owner and
/// lease").
const ABANDONED: Duration = Duration::from_mins(10);
/// The pause between two rounds.
const ROUND: Duration = Duration::from_mins(1);

/// Whether an owner may still be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is gone for certain.
    None,
    /// It is asked first.
    Some,
}

/// Sweeps until told to drain.
pub(crate) async fn sweep_until(worker: Arc<Worker>, tasks: TaskTracker, drain: CancellationToken) {
    loop {
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(ROUND) => {}
        }
        if let Err(error) = sweep(&worker, &tasks).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a round of the sweeper failed");
        }
    }
}

/// One round.
pub(crate) async fn sweep(worker: &Arc<Worker>, tasks: &TaskTracker) -> Result<usize, CommandError> {
    take_over_all(worker, tasks, ABANDONED, Doubt::Some).await
}

/// Takes over what has been silent for so long, each in a task of its own. Answers how many there are; waits for none of
/// them, nor for a place.
pub(crate) async fn take_over_all(
    worker: &Arc<Worker>,
    tasks: &TaskTracker,
    silence: Duration,
    doubt: Doubt,
) -> Result<usize, CommandError> {
    let abandoned = abandoned_generations(&worker.app, silence).await?;
    let number = abandoned.len();
    tasks.spawn(take_over_each(Arc::clone(worker), tasks.clone(), abandoned, doubt));
    Ok(number)
}

async fn take_over_each(worker: Arc<Worker>, tasks: TaskTracker, abandoned: Vec<Abandoned>, doubt: Doubt) {
    for lost in abandoned {
        let place = tokio::select! {
            () = worker.stop.cancelled() => return,
            place = Arc::clone(&worker.places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        let span = tracing::info_span!("take_over", generation.id = %lost.generation);
        tasks.spawn(take_over(Arc::clone(&worker), lost, doubt, place).instrument(span));
    }
}

async fn take_over(worker: Arc<Worker>, lost: Abandoned, doubt: Doubt, _place: OwnedSemaphorePermit) {
    let Some(claim) = worker.claims.take(lost.generation, None).await else { return };
    // Neither arm is ever given up: keeping alive has no end.
    let left = tokio::select! {
        left = worker.settle_lost(lost, doubt) => left,
        never = claim.keep_alive() => match never {},
    };
    claim.end(left).await;
}

impl Worker {
    /// Takes over from `lost`'s owner. There is no job that would come again, so what cannot be done now is tried again
    /// here, until it is done or the worker stops.
    async fn settle_lost(&self, lost: Abandoned, doubt: Doubt) -> Left {
        let Abandoned { generation, owner } = lost;
        let mut left = match doubt {
            Doubt::Some if !self.is_gone(generation, owner).await => Left::ToAnother,
            Doubt::Some | Doubt::None => self.take_over(generation, owner.epoch).await,
        };
        while let Left::Later(delay) = left {
            if self.stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                break;
            }
            left = self.work(generation).await;
        }
        left
    }
}
