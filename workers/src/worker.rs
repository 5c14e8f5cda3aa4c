//! The worker of a process: what it needs, and how it is started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::{JobQueue, Pictures};
use slipstream_commands::{Attachments, CommandError, Commands};
use slipstream_domain::{ModelId, ProviderId, WorkerId};
use slipstream_projections::{ReadModels, StreamState};
use slipstream_providers::{Catalogue, Providers};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::claims::Claims;
use crate::titles::Sides;
use crate::{consumer, sweeper};

/// What a worker needs.
pub struct WorkerDeps {
    /// The use cases, with the log, the live bus and the keys they know.
    pub app: Commands,
    /// Where jobs come from.
    pub queue: Arc<dyn JobQueue>,
    /// Where readers find what they missed.
    pub stream_state: Arc<dyn StreamState>,
    /// Where history is read.
    pub read_models: ReadModels,
    /// Who answers.
    pub providers: Arc<Providers>,
    /// Which models there are, and what they cost.
    pub catalogue: Arc<Catalogue>,
    /// The files of conversations. Without it, a message with files is not answered.
    pub files: Option<Attachments>,
    /// Where pictures are kept. Without it, an answer with a picture fails.
    pub pictures: Option<Arc<dyn Pictures>>,
    /// This run of this process; never used by another.
    pub worker: WorkerId,
    /// What the operator may set.
    pub settings: Settings,
}

/// What the operator may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Generations in hand at most. Their work is waiting for a vendor, so memory is the limit: about 64 KiB and the text
    /// for each.
    pub concurrency: u32,
    /// How long generations may go on after the worker was told to drain.
    pub grace: Duration,
    /// What becomes of those that are still going on then.
    pub at_grace_end: AtGraceEnd,
    /// Who answers when a provider, asked as often as it may be, cannot: before anything of an answer has come, and only
    /// where the key of the request pays for it.
    pub fallbacks: BTreeMap<ProviderId, Fallback>,
    /// Whether a model is asked for the title of a new conversation.
    pub titles: bool,
}

/// A model that answers when another cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Who runs it.
    pub provider: ProviderId,
    /// Which.
    pub model: ModelId,
}

/// What becomes of a generation that is still going on when the grace period is over. What it has said is recorded and
/// kept in either case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtGraceEnd {
    /// It goes back to the queue, not ended: another worker takes it over.
    #[default]
    HandBack,
    /// It ends as interrupted, even if it has said nothing yet: for a process that is the only one, whose readers would
    /// wait for an end that nobody makes.
    Interrupt,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: 1024,
            grace: Duration::from_secs(25),
            at_grace_end: AtGraceEnd::default(),
            fallbacks: BTreeMap::new(),
            titles: true,
        }
    }
}

/// The worker of this process. Cheap to clone.
#[derive(Clone)]
pub struct Workers(pub(crate) Arc<Worker>);

/// What all of a worker's tasks share.
pub(crate) struct Worker {
    pub(crate) app: Commands,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) stream_state: Arc<dyn StreamState>,
    pub(crate) read_models: ReadModels,
    pub(crate) providers: Arc<Providers>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) files: Option<Attachments>,
    pub(crate) pictures: Option<Arc<dyn Pictures>>,
    pub(crate) id: WorkerId,
    pub(crate) settings: Settings,
    pub(crate) claims: Claims,
    /// One permit for each generation in hand.
    pub(crate) places: Arc<Semaphore>,
    /// The grace period is over: nothing in hand goes on.
    pub(crate) stop: CancellationToken,
    /// What goes on beside the replies.
    pub(crate) sides: Sides,
}

impl Workers {
    /// A worker that does nothing yet.
    #[must_use]
    pub fn new(deps: WorkerDeps) -> Self {
        Self(Arc::new(Worker {
            app: deps.app,
            queue: deps.queue,
            stream_state: deps.stream_state,
            read_models: deps.read_models,
            providers: deps.providers,
            catalogue: deps.catalogue,
            files: deps.files,
            pictures: deps.pictures,
            id: deps.worker,
            claims: Claims::default(),
            places: Arc::new(Semaphore::new(deps.settings.concurrency as usize)),
            settings: deps.settings,
            stop: CancellationToken::new(),
            sides: Sides::new(),
        }))
    }

    /// Starts taking jobs. On `drain` it takes no more, lets what is in hand go on for the grace period, and then leaves the
    /// rest as [`Settings::at_grace_end`] says.
    pub fn start(&self, tasks: &TaskTracker, drain: CancellationToken) {
        tasks.spawn(consumer::consume(Arc::clone(&self.0), tasks.clone(), drain));
    }

    /// Sweeps once a minute until `stop`; what it takes over goes on in `tasks`. One process at a time is enough; two do no
    /// harm: a takeover begins a new epoch by compare-and-swap.
    pub async fn sweep(self, tasks: TaskTracker, stop: CancellationToken) {
        sweeper::sweep_until(self.0, tasks, stop).await;
    }

    /// Takes over every generation that has an owner, at once: for a process that knows that no other lives which could
    /// make one, as it holds the lock of the only data folder. What had produced output is ended as interrupted, the rest
    /// is asked for again; both go on in `tasks` after this returns, as many at
    /// once as there are places. Answers how many there are.
    ///
    /// # Errors
    /// Those of [`slipstream_commands::abandoned_generations`].
    pub async fn settle_all_now(&self, tasks: &TaskTracker) -> Result<usize, CommandError> {
        sweeper::take_over_all(&self.0, tasks, Duration::ZERO, sweeper::Doubt::None).await
    }

    /// One round of the sweeper: takes over generations of which nothing was recorded for ten minutes and whose owner does
    /// not answer. Answers how many are looked at.
    ///
    /// # Errors
    /// Those of [`slipstream_commands::abandoned_generations`].
    pub async fn sweep_now(&self, tasks: &TaskTracker) -> Result<usize, CommandError> {
        sweeper::sweep(&self.0, tasks).await
    }
}
