//! Fills the read models: finds the versions there are, takes each one's lease, reads the feed, hands pages on, keeps the
//! lease. What becomes of a page is [`projector`]'s matter; when a version takes over from another one, [`cut_over`]'s.

mod cut_over;
mod projector;

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use slipstream_eventlog::{
    EventLog, FeedError, Lease, LeaseError, ProjectorId, ProjectorState, ProjectorStatus, ReadError, register,
};
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
use crate::version::{age, shape};

/// How long a read model stands still when its runner dies without a word. It is renewed five times as often.
const LEASE: Duration = Duration::from_secs(5);
/// The pause before another try for the lease, and after something did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// The pause after a gap in the log: only an operator can mend that.
const GAP: Duration = Duration::from_secs(30);

/// How often it is looked which versions there are.
const LOOK: Duration = Duration::from_secs(1);

/// All read models. A new one: a line here.
pub const READ_MODELS: [ReadModel; 5] = [
    ReadModel::of::<Conversations>(),
    ReadModel::of::<Transcript>(),
    ReadModel::of::<Generations>(),
    ReadModel::of::<UsageDaily>(),
    ReadModel::of::<Attachments>(),
];

/// A read model, as those know it who treat all alike.
#[derive(Debug, Clone, Copy)]
pub struct ReadModel {
    /// Its name.
    pub name: &'static str,
    /// The shape of the tables that this program reads and writes.
    version: i32,
    run: fn(EventLog, ProjectorId, String, CancellationToken) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ReadModel {
    const fn of<P: Projection>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            run: |log, id, owner, stop| Box::pin(run::<P>(log, id, owner, stop)),
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        READ_MODELS.iter().find(|model| model.name == name)
    }

    /// The version whose tables the migrations make.
    pub(crate) fn id(&self) -> ProjectorId {
        ProjectorId::new(self.name, self.version)
    }

    /// Whether this program can fill a version: one of its own shape.
    pub(crate) fn fills(&self, projector: &ProjectorId) -> bool {
        *projector.name == *self.name && shape(projector.version) == self.version
    }
}

/// Fills the read models of one process. Any number of processes may run one: of each version, one has the lease,
/// the others wait for it. All versions of this program's shape are filled that there are: a rebuild, too, and one that
/// was read before, until it is dropped, so that it keeps nothing that was deleted.
pub struct Runner {
    log: EventLog,
    owner: Uuid,
}

impl Runner {
    /// `owner` names this process; one that starts again under its old name takes its leases back at once.
    #[must_use]
    pub fn new(log: EventLog, owner: Uuid) -> Self {
        Self { log, owner }
    }

    /// Starts one task a version of a read model, and one that looks for versions. On `drain` each finishes its page,
    /// gives its lease back and ends. Drain the log after them.
    pub fn start(self, tasks: &TaskTracker, drain: CancellationToken) {
        tasks.spawn(self.look(tasks.clone(), drain));
    }

    async fn look(self, tasks: TaskTracker, drain: CancellationToken) {
        let mut filled: HashMap<ProjectorId, CancellationToken> = HashMap::new();
        while !drain.is_cancelled() {
            match self.versions().await {
                Ok(versions) => {
                    filled.retain(|known, stop| {
                        let there = versions.iter().any(|(version, _)| version == known);
                        if !there {
                            stop.cancel();
                        }
                        there
                    });
                    for (version, model) in versions {
                        filled.entry(version).or_insert_with_key(|version| {
                            let stop = drain.child_token();
                            let owner = self.owner.to_string();
                            tasks.spawn((model.run)(self.log.clone(), version.clone(), owner, stop.clone()));
                            stop
                        });
                    }
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "it cannot be seen which read models there are");
                }
            }
            drain.run_until_cancelled(tokio::time::sleep(LOOK)).await;
        }
    }

    /// The versions that this program can fill. Of a read model that has none, and no newer one that is read, the first.
    async fn versions(&self) -> Result<Vec<(ProjectorId, &'static ReadModel)>, ReadError> {
        let known = self.log.projectors().await?;
        let mut versions = Vec::new();
        for model in &READ_MODELS {
            let mine = known.iter().filter(|status| model.fills(&status.projector));
            let before = versions.len();
            versions.extend(mine.map(|status| (status.projector.clone(), model)));
            if versions.len() == before && !known.iter().any(|status| outdates(status, model)) {
                register(&mut *self.log.pool().acquire().await?, &model.id()).await?;
                versions.push((model.id(), model));
            }
        }
        Ok(versions)
    }
}

/// Whether a version that is read is of a newer program.
fn outdates(status: &ProjectorStatus, model: &ReadModel) -> bool {
    *status.projector.name == *model.name
        && status.state == ProjectorState::Active
        && age(status.projector.version) > age(model.version)
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

async fn run<P: Projection>(log: EventLog, version: ProjectorId, owner: String, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match hold::<P>(&log, &version, &owner, &stop).await {
            Ok(()) | Err(Stopped::Fenced) => RETRY,
            Err(error @ Stopped::Gap(_)) => {
                tracing::error!(projection = P::NAME, %error, "a projection stands still: the log is damaged");
                GAP
            }
            Err(error @ Stopped::Unavailable(_)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    projection = P::NAME,
                    version = version.version,
                    error,
                    "a projection tries again"
                );
                RETRY
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
}

/// Runs the projection as long as the lease is ours, if it is to be had.
async fn hold<P: Projection>(
    log: &EventLog,
    version: &ProjectorId,
    owner: &str,
    stop: &CancellationToken,
) -> Result<(), Stopped> {
    let Some(lease) = Lease::acquire(log.pool(), version, owner, LEASE).await? else { return Ok(()) };
    tracing::info!(
        projection = P::NAME,
        version = version.version,
        position = lease.position.get(),
        "runs a projection"
    );
    let ended = Projector::<P>::new(log.clone(), lease.clone()).run(stop).await;
    match ended {
        // Not ours to give back.
        Err(Stopped::Fenced) => {}
        Ok(()) | Err(Stopped::Gap(_) | Stopped::Unavailable(_)) => lease.release(log.pool()).await?,
    }
    ended
}
