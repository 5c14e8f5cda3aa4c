//! A worker takes a waiting generation. One wins: the expected version of its stream is the compare-and-swap.

use slipstream_domain::generation::{GenerationRejection, Owner};
use slipstream_domain::{Epoch, GenerationId, TerminalStatus, WorkerId};
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, Ownership, loading, streams};

/// What a worker that asks for a generation finds.
#[derive(Debug)]
pub enum Opened {
    /// It is the worker's.
    Mine(Box<Ownership>),
    /// Another owner has it, or had it.
    Taken(Owner),
    /// It is over.
    Over(TerminalStatus),
}

/// Takes a generation that waits for a worker.
///
/// # Errors
/// `NotFound`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(generation.id = %id))]
pub async fn open_generation(
    app: &Commands,
    id: GenerationId,
    worker: WorkerId,
) -> Result<Opened, CommandError> {
    retrying!(app, async {
        let mut generation = loading::generation(&app.log, id).await?;
        let event = match generation.state.open(worker) {
            Ok(event) => event,
            Err(GenerationRejection::Owned { owner }) => return Ok(Opened::Taken(owner)),
            Err(GenerationRejection::Ended { status }) => return Ok(Opened::Over(status)),
            Err(rejection) => return Err(rejection.into()),
        };
        let request = generation.state.request().ok_or(CommandError::NotFound("generation"))?;
        let (conversation, owner) = (request.asked.conversation_id, request.owner);
        let append = streams::generation(id, conversation, owner, generation.version, event.clone())?;
        let streams = vec![streams::caused_by(append, generation.last)];
        let appended = app
            .append_for_worker(Append { streams, command_id: app.new_command(), guards: Vec::new() })
            .await?;
        generation.state.evolve(&event, slipstream_domain::Meta { owner, at: app.now() });
        (generation.version, generation.last) = (generation.version.next(), appended.last);
        Ok(Opened::Mine(Box::new(Ownership::of(id, generation, Epoch::FIRST)?)))
    })
}
