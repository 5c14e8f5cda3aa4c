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

/// Takes over what has been silent for so long, each in a task of its own. Answers how many there are.
pub(crate) async fn take_over_all(
    worker: &Arc<Worker>,
    tasks: &TaskTracker,
    silence: Duration,
    doubt: Doubt,
) -> Result<usize, CommandError> {
    let abandoned = abandoned_generations(&worker.app, silence).await?;
    for &lost in &abandoned {
        let place = tokio::select! {
            () = worker.stop.cancelled() => break,
            place = Arc::clone(&worker.places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let span = tracing::info_span!("take_over", generation.id = %lost.generation);
        tasks.spawn(take_over(Arc::clone(worker), lost, doubt, place).instrument(span));
    }
    Ok(abandoned.len())
}

async fn take_over(worker: Arc<Worker>, lost: Abandoned, doubt: Doubt, _place: OwnedSemaphorePermit) {
    let Abandoned { generation, owner } = lost;
    let Some(claim) = worker.claims.take(generation, None).await else { return };
    let taking = async {
        match doubt {
            Doubt::Some if !worker.is_gone(generation, owner).await => Left::ToAnother,
            Doubt::Some | Doubt::None => worker.take_over(generation, owner.epoch).await,
        }
    };
    // Neither arm is ever given up: keeping alive has no end.
    let left = tokio::select! {
        left = taking => left,
        never = claim.keep_alive() => match never {},
    };
    claim.end(left).await;
}
