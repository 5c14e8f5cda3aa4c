//! From the first signal to the last task: drain in order, give up on the second signal or when time is up.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// One stage of the process: tasks that are told to drain together.
#[derive(Clone, Default)]
pub(crate) struct Stage {
    pub(crate) tasks: TaskTracker,
    pub(crate) drain: CancellationToken,
}

/// The stages, in the order they drain: nobody is drained before those who need it.
#[derive(Clone, Default)]
pub(crate) struct Lifecycle {
    /// Talks to clients and takes jobs.
    pub(crate) front: Stage,
    /// Builds what clients read.
    pub(crate) projections: Stage,
    /// Writes.
    pub(crate) log: Stage,
    /// Speaks with other processes.
    pub(crate) connections: Stage,
}

impl Lifecycle {
    /// Drains stage after stage; one that takes longer than `stage_limit` is left behind. Answers whether all of it ended
    /// by itself; `give_up` cuts it short.
    pub(crate) async fn drain(&self, stage_limit: Duration, give_up: impl Future<Output = ()>) -> bool {
        let stages = async {
            let mut clean = true;
            for stage in [&self.front, &self.projections, &self.log, &self.connections] {
                stage.drain.cancel();
                stage.tasks.close();
                clean &= tokio::time::timeout(stage_limit, stage.tasks.wait()).await.is_ok();
            }
            clean
        };
        tokio::select! {
            clean = stages => clean,
            () = give_up => false,
        }
    }
}

/// The wish to stop, from a terminal or a supervisor.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// # Errors
    /// The operating system does not let signals be caught.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
