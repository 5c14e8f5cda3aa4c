//! The append coalescer: one task that takes whatever is queued while the previous commit is in flight and
//! writes it as one batch. No timer: an idle log adds no delay, a busy one shares its commits.

use std::{collections::VecDeque, sync::Arc};

use sqlx::PgPool;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    HintTopic, Position,
    batch::{MAX_BATCH_APPENDS, Waiting, take_batch},
    encode::Encoded,
    meters::Meters,
    wakes::Signals,
    write::{Verdict, Writer},
};

/// Four full batches: the next one is always ready, and whoever comes later waits at the door, where a
/// cancelled caller leaves nothing behind. The task itself holds as many again while some have to wait.
const QUEUE: usize = 4 * MAX_BATCH_APPENDS;

/// The door to the coalescer. When all are dropped, or on drain, it writes what is queued and ends.
#[derive(Clone)]
pub(crate) struct Coalescer {
    queue: mpsc::Sender<Job>,
}

struct Job {
    append: Arc<Encoded>,
    answer: oneshot::Sender<Verdict>,
}

impl Waiting for Job {
    fn append(&self) -> &Encoded {
        &self.append
    }
}

impl Coalescer {
    pub(crate) fn start(
        pool: PgPool,
        signals: Arc<Signals>,
        tasks: &TaskTracker,
        drain: CancellationToken,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tasks.spawn(run(jobs, Writer::new(pool), signals, drain));
        Self { queue }
    }

    /// What became of the append; none if the log is stopping and it was not queued.
    /// Cancel-safe; once queued, the append is written whether or not anybody waits.
    pub(crate) async fn submit(&self, append: Arc<Encoded>) -> Option<Verdict> {
        let (answer, verdict) = oneshot::channel();
        self.queue.send(Job { append, answer }).await.ok()?;
        verdict.await.ok()
    }
}

async fn run(
    mut jobs: mpsc::Receiver<Job>,
    mut writer: Writer,
    signals: Arc<Signals>,
    drain: CancellationToken,
) {
    let (mut waiting, meters) = (VecDeque::new(), Meters::new());
    loop {
        if drain.is_cancelled() {
            jobs.close();
        }
        if waiting.is_empty() {
            tokio::select! {
                () = drain.cancelled(), if !jobs.is_closed() => continue,
                job = jobs.recv() => match job {
                    Some(job) => waiting.push_back(job),
                    None => break,
                },
            }
        }
        while waiting.len() < QUEUE
            && let Ok(job) = jobs.try_recv()
        {
            waiting.push_back(job);
        }
        write(take_batch(&mut waiting), &mut writer, &signals, &meters).await;
        // Those just answered may have their next append ready: let it come along.
        tokio::task::yield_now().await;
    }
    writer.close().await;
}

async fn write(batch: Vec<Job>, writer: &mut Writer, signals: &Signals, meters: &Meters) {
    let (appends, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.append, job.answer)).unzip();
    let began = Instant::now();
    let span = tracing::debug_span!("append_batch", batch.appends = appends.len());
    let verdicts = writer.write(&appends).instrument(span).await;
    meters.batch(appends.iter().map(|append| &**append), &verdicts, began.elapsed());
    if let Some(head) = head(&appends, &verdicts) {
        signals.moved(HintTopic::Log, head);
    }
    for (answer, verdict) in answers.into_iter().zip(verdicts) {
        // A caller that has gone away does not want to know.
        drop(answer.send(verdict));
    }
}

/// The last position the batch has written.
fn head(appends: &[Arc<Encoded>], verdicts: &[Verdict]) -> Option<Position> {
    let written = |(append, verdict): (&Arc<Encoded>, &Verdict)| match verdict {
        Verdict::Written { first, .. } => Some(append.last(*first)),
        Verdict::Known { .. }
        | Verdict::Conflict { .. }
        | Verdict::Closed(_)
        | Verdict::OtherCategory(_)
        | Verdict::Refused { .. }
        | Verdict::Failed(_) => None,
    };
    appends.iter().zip(verdicts).filter_map(written).max()
}
