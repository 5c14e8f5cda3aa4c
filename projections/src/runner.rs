//! Fills the read models: takes each one's lease, reads the feed, hands pages on, keeps the lease. What becomes of a
//! page is [`projector`]'s matter.

mod projector;

use std::time::Duration;

use slipstream_eventlog::{EventLog, FeedError, Lease, LeaseError, ReadError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::projector::Projector;
use crate::attachments::Attachments;
use crate::conversations::Conversations;
use crate::generations::Generations;
use crate::projection::Projection;
use crate::transcript::Transcript;
use crate::usage_daily::UsageDaily;

/// How long a read model stands still when its runner dies without a word. It is renewed five times as often.
const LEASE: Duration = Duration::from_secs(5);
/// The pause before another try for the lease, and after something did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// The pause after a gap in the log: only an operator can mend that.
const GAP: Duration = Duration::from_secs(30);

/// Fills the read models of one process. Any number of processes may run one: of each read model, one has the lease,
/// the others wait for it.
pub struct Runner {
    log: EventLog,
    owner: Uuid,
}

impl Runner {
    /// How many read models [`Runner::start`] fills.
    pub const READ_MODELS: usize = 5;

    /// `owner` names this process; one that starts again under its old name takes its leases back at once.
    #[must_use]
    pub fn new(log: EventLog, owner: Uuid) -> Self {
        Self { log, owner }
    }

    /// Starts one task a read model. On `drain` each finishes its page, gives its lease back and ends. Drain the log
    /// after them.
    pub fn start(self, tasks: &TaskTracker, drain: CancellationToken) {
        tasks.spawn(run::<Conversations>(self.log.clone(), self.owner, drain.clone()));
        tasks.spawn(run::<Transcript>(self.log.clone(), self.owner, drain.clone()));
        tasks.spawn(run::<Generations>(self.log.clone(), self.owner, drain.clone()));
        tasks.spawn(run::<UsageDaily>(self.log.clone(), self.owner, drain.clone()));
        tasks.spawn(run::<Attachments>(self.log, self.owner, drain));
    }
}

/// Why a projector stopped.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    /// Another process has it: wait for it.
    #[error("another process runs it")]
    Fenced,
    /// An event is missing in the log: whatever came after it must not be applied.
    #[error("{0}")]
    Gap(FeedError),
    /// Something did not answer: the same page again, soon.
    #[error("something did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<FeedError> for Stopped {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Gap { .. } => Self::Gap(error),
            FeedError::Read(error) => error.into(),
        }
    }
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<LeaseError> for Stopped {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Fenced => Self::Fenced,
            LeaseError::Database(error) => error.into(),
        }
    }
}

async fn run<P: Projection>(log: EventLog, owner: Uuid, drain: CancellationToken) {
    let owner = owner.to_string();
    while !drain.is_cancelled() {
        let pause = match hold::<P>(&log, &owner, &drain).await {
            Ok(()) | Err(Stopped::Fenced) => RETRY,
            Err(error @ Stopped::Gap(_)) => {
                tracing::error!(projection = P::NAME, %error, "a projection stands still: the log is damaged");
                GAP
            }
            Err(error @ Stopped::Unavailable(_)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(projection = P::NAME, error, "a projection tries again");
                RETRY
            }
        };
        drain.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Runs the projection as long as the lease is ours, if it is to be had.
async fn hold<P: Projection>(log: &EventLog, owner: &str, drain: &CancellationToken) -> Result<(), Stopped> {
    let Some(lease) = Lease::acquire(log.pool(), &P::id(), owner, LEASE).await? else { return Ok(()) };
    tracing::info!(projection = P::NAME, position = lease.position.get(), "runs a projection");
    let ended = Projector::<P>::new(log.clone(), lease.clone()).run(drain).await;
    match ended {
        // Not ours to give back.
        Err(Stopped::Fenced) => {}
        Ok(()) | Err(Stopped::Gap(_) | Stopped::Unavailable(_)) => lease.release(log.pool()).await?,
    }
    ended
}
