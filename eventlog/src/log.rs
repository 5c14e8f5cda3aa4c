//! The log as its users hold it: starting it, and the way of an append through it.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Append, AppendError, Appended, HintTopic, Hints, InvalidAppend, KeyRing, NoHints, NullKeyRing, Position,
    ProjectorId, Unavailable, Upcasters, Wakes, coalescer::Coalescer, decode::Decoder, encode, maintenance,
    meters, read, wakes::Signals, write::Verdict,
};

/// What the log is given by its surroundings.
pub struct LogOptions {
    /// Seals personal halves.
    pub key_ring: Arc<dyn KeyRing>,
    /// Wakes other processes.
    pub hints: Arc<dyn Hints>,
    /// The event types this program knows.
    pub upcasters: Upcasters,
}

impl Default for LogOptions {
    /// The null cipher, one process, every type as it is stored.
    fn default() -> Self {
        Self { key_ring: Arc::new(NullKeyRing), hints: Arc::new(NoHints), upcasters: Upcasters::default() }
    }
}

/// The event log of one database. Clones share one coalescer: a process should start one log.
#[derive(Clone)]
pub struct EventLog {
    shared: Arc<Shared>,
}

struct Shared {
    pool: PgPool,
    decoder: Decoder,
    coalescer: Coalescer,
    signals: Arc<Signals>,
}

impl EventLog {
    /// Starts the log's tasks on a migrated database: the coalescer, the exchange of hints, maintenance.
    /// They end on `drain`; what was queued by then is still written and answered. Drain the log after
    /// everything that appends.
    #[must_use]
    pub fn start(pool: PgPool, options: LogOptions, tasks: &TaskTracker, drain: CancellationToken) -> Self {
        let signals = Signals::start(options.hints, tasks, drain.clone());
        let coalescer = Coalescer::start(pool.clone(), signals.clone(), tasks, drain.clone());
        tasks.spawn(maintenance::run(pool.clone(), drain));
        let decoder = Decoder { key_ring: options.key_ring, upcasters: options.upcasters };
        Self { shared: Arc::new(Shared { pool, decoder, coalescer, signals }) }
    }

    /// Writes the events of one append, all or none. Answers when they are durable and every read sees them.
    ///
    /// Cancel safety: dropping the future may or may not write the append; its command id tells.
    ///
    /// # Errors
    /// See [`AppendError`]; only [`AppendError::Unavailable`] leaves open whether it was written.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let began = Instant::now();
        let append = Arc::new(encode::encode(append, &*self.shared.decoder.key_ring).await?);
        let verdict = self.shared.coalescer.submit(append.clone()).await.ok_or(Unavailable::Stopping)?;
        meters::appended(began.elapsed());
        match verdict {
            Verdict::Written { first, recorded_at } => Ok(Appended {
                first,
                last: append.last(first),
                versions: append.slots.iter().map(|slot| (slot.stream, slot.version())).collect(),
                recorded_at,
            }),
            Verdict::Known { first, last, recorded_at } => {
                let recorded = read::appended(self.pool(), first, last, recorded_at).await;
                Err(recorded.map_or_else(
                    |error| Unavailable::Database(Arc::new(error)).into(),
                    AppendError::Duplicate,
                ))
            }
            Verdict::Conflict { stream, actual } => Err(AppendError::Conflict { stream, actual }),
            Verdict::Closed(stream) => Err(AppendError::Closed { stream }),
            Verdict::OtherCategory(stream) => Err(InvalidAppend::OtherCategory(stream).into()),
            Verdict::Refused { sqlstate } => Err(InvalidAppend::Refused { sqlstate }.into()),
            Verdict::Failed(error) => Err(Unavailable::Database(error).into()),
        }
    }

    /// Wakes for a reader of the feed.
    #[must_use]
    pub fn wakes(&self) -> Wakes {
        self.shared.signals.wakes()
    }

    /// Says that a projector of this process has committed its checkpoint at `position`: wakes whoever waits
    /// for it, here and in other processes.
    pub fn projected(&self, projector: &ProjectorId, position: Position) {
        self.shared.signals.moved(HintTopic::Projector(projector.clone()), position);
    }

    /// The database the log is in.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.shared.pool
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.shared.decoder
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.shared.signals
    }
}
