//! A worker takes a generation from an owner that is gone, and finds the ones whose owner may be.

use std::time::Duration;

use slipstream_domain::event::GenerationEvent;
use slipstream_domain::{Category, Epoch, Generation, GenerationId, WorkerId, generation::Owner};
use slipstream_eventlog::{Append, Category as StreamCategory, OwnerId, StreamId, Version};

use crate::loading::Loaded;
use crate::retrying::retrying;
use crate::{CommandError, Commands, Ownership, loading, streams};

/// How many open streams are listed at a time.
const PAGE: usize = 500;

/// An open generation that nothing was recorded of for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandoned {
    /// Which.
    pub generation: GenerationId,
    /// The owner the log knows.
    pub owner: Owner,
}

/// Begins a new epoch. The caller has made sure that the owner of `from` is gone; if it is not, it is fenced now.
///
/// # Errors
/// `Fenced` when another was faster; `Ended`, `NotFound`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(generation.id = %id))]
pub async fn take_over_generation(
    app: &Commands,
    id: GenerationId,
    from: Epoch,
    worker: WorkerId,
) -> Result<Ownership, CommandError> {
    retrying!(app, async {
        let generation = loading::generation(&app.log, id).await?;
        let event = generation.state.take_over(from, worker)?;
        append_change_of_owner(app, id, &generation, event).await?;
        Ownership::of(id, loading::generation(&app.log, id).await?, from.next())
    })
}

/// The owner of `epoch` lets a generation go; whoever gets its job takes it over at once.
///
/// # Errors
/// `Fenced` when another has it already; `Ended`, `NotFound`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(generation.id = %id))]
pub async fn release_generation(app: &Commands, id: GenerationId, epoch: Epoch) -> Result<(), CommandError> {
    retrying!(app, async {
        let generation = loading::generation(&app.log, id).await?;
        let event = generation.state.release(epoch)?;
        append_change_of_owner(app, id, &generation, event).await
    })
}

/// Generations that a worker has taken, that have not ended, and of which nothing was recorded for `silence`.
///
/// # Errors
/// `Unavailable`, `Unreadable`.
#[tracing::instrument(level = "debug", skip_all, fields(silence.seconds = silence.as_secs()))]
pub async fn abandoned_generations(
    app: &Commands,
    silence: Duration,
) -> Result<Vec<Abandoned>, CommandError> {
    let mut abandoned = Vec::new();
    for generation in open_generations(app).await? {
        if generation.version == FIRST || app.now().since(generation.last_at) < silence {
            continue;
        }
        let id = generation.id;
        let Generation::Streaming(_, streaming) = loading::generation(&app.log, id).await?.state else {
            continue;
        };
        if app.now().since(streaming.last_at) >= silence {
            let owner =
                Owner { epoch: streaming.epoch, worker: streaming.worker, last_at: streaming.last_at };
            abandoned.push(Abandoned { generation: id, owner });
        }
    }
    Ok(abandoned)
}

async fn append_change_of_owner(
    app: &Commands,
    id: GenerationId,
    generation: &Loaded<Generation>,
    event: GenerationEvent,
) -> Result<(), CommandError> {
    let request = generation.state.request().ok_or(CommandError::NotFound("generation"))?;
    let conversation = request.asked.conversation_id;
    let append = streams::generation(id, conversation, request.owner, generation.version, event)?;
    let streams = vec![streams::caused_by(append, generation.last)];
    app.append_for_worker(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
    Ok(())
}

/// The version of a generation's stream that holds its request alone: it waits for a worker.
pub(crate) const FIRST: Version = Version::NONE.next();

/// A generation whose stream is open.
pub(crate) struct OpenGeneration {
    pub(crate) id: GenerationId,
    pub(crate) owner: Option<OwnerId>,
    pub(crate) version: Version,
    /// When its last event was recorded.
    pub(crate) last_at: slipstream_domain::Timestamp,
}

pub(crate) async fn open_generations(app: &Commands) -> Result<Vec<OpenGeneration>, CommandError> {
    let category = StreamCategory(Category::Generation.number());
    let mut open = Vec::new();
    let mut after: Option<StreamId> = None;
    loop {
        let page = app.log.open_streams(category, after, PAGE).await?;
        after = page.last().map(|stream| stream.stream);
        open.extend(page.iter().map(|stream| OpenGeneration {
            id: GenerationId::from_uuid(stream.stream.as_uuid()),
            owner: stream.owner,
            version: stream.version,
            last_at: crate::decoded::timestamp(stream.last_recorded_at),
        }));
        if page.len() < PAGE {
            return Ok(open);
        }
    }
}
