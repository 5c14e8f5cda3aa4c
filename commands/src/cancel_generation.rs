//! The user stops a reply, or everything in a conversation.

use std::sync::Arc;

use slipstream_domain::conversation::Waiting;
use slipstream_domain::event::TerminalContent;
use slipstream_domain::generation::Cancellation;
use slipstream_domain::{ConversationId, Ending, Generation, GenerationId, Seq, TerminalStatus, UserId};
use slipstream_eventlog::{Append, StreamAppend};

use crate::ending::End;
use crate::loading::Loaded;
use crate::ports::{LiveMessage, Subject};
use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// What became of a wish to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// Its owner has been told; its end follows.
    Asked,
    /// It is over, by this or before.
    Over(TerminalStatus),
}

/// Cancels a generation. Idempotent: cancelling a finished one answers its final state.
///
/// # Errors
/// `NotFound` when the actor does not own it; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(generation.id = %id))]
pub async fn cancel_generation(
    app: &Commands,
    actor: UserId,
    id: GenerationId,
) -> Result<Cancelled, CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, cancel(app, actor, id))
}

/// Withdraws all that waits in a conversation and cancels the reply being made there. Idempotent; `None` when no reply
/// is being made.
///
/// # Errors
/// `NotFound` when the actor does not own it; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn cancel_conversation(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
) -> Result<Option<(GenerationId, Cancelled)>, CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        conversation.state.check_owner(actor)?;
        let waiting = conversation.state.queued().iter().map(Waiting::generation_id);
        let mut events = Vec::new();
        for generation in waiting {
            events.extend(conversation.state.withdraw(actor, generation)?);
        }
        if !events.is_empty() {
            let streams = vec![streams::conversation(id, Some(actor), conversation.version, events)?];
            app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        }
        match conversation.state.running() {
            Some(reply) => Ok(Some((reply.generation_id, cancel(app, actor, reply.generation_id).await?))),
            None => Ok(None),
        }
    })
}

pub(crate) async fn cancel(
    app: &Commands,
    actor: UserId,
    id: GenerationId,
) -> Result<Cancelled, CommandError> {
    let generation = loading::generation(&app.log, id).await?;
    let (streams, outcome) = match generation.state.cancel(actor)? {
        Cancellation::Over(status) => return Ok(Cancelled::Over(status)),
        Cancellation::Requested(None) => (Vec::new(), Cancelled::Asked),
        Cancellation::Requested(Some(_)) => (app.cancel_append(actor, id).await?, Cancelled::Asked),
        Cancellation::EndNow => {
            let end = cancelled_unstarted(id, &generation)?;
            (app.end_appends(&end).await?, Cancelled::Over(TerminalStatus::Cancelled))
        }
    };
    if !streams.is_empty() {
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
    }
    if outcome == Cancelled::Asked {
        app.hint_cancel(id).await;
    }
    Ok(outcome)
}

/// The end of a generation that no worker has taken.
pub(crate) fn cancelled_unstarted(
    id: GenerationId,
    generation: &Loaded<Generation>,
) -> Result<End<'_>, CommandError> {
    let status = TerminalStatus::Cancelled;
    let ending = Ending::without_output(status, None, TerminalContent::of_text(""));
    let request = generation.state.request().ok_or(CommandError::NotFound("generation"))?;
    let event = generation.state.end_unstarted(ending)?;
    Ok(End { id, version: generation.version, request, event, status, final_seq: Seq::START })
}

impl Commands {
    /// The wish to stop as an append; empty when it is recorded already or nothing runs any more.
    pub(crate) async fn cancel_append(
        &self,
        actor: UserId,
        id: GenerationId,
    ) -> Result<Vec<StreamAppend>, CommandError> {
        let generation = loading::generation(&self.log, id).await?;
        match generation.state.cancel(actor)? {
            Cancellation::Requested(Some(event)) => {
                let request = generation.state.request().ok_or(CommandError::NotFound("generation"))?;
                let conversation = request.asked.conversation_id;
                Ok(vec![streams::generation(id, conversation, request.owner, generation.version, *event)?])
            }
            Cancellation::Requested(None) | Cancellation::EndNow | Cancellation::Over(_) => Ok(Vec::new()),
        }
    }

    /// Tells the owner of a recorded wish; lost hints are found by its own checks.
    pub(crate) async fn hint_cancel(&self, id: GenerationId) {
        self.bus.publish(Subject::Owner(id), Arc::new(LiveMessage::Cancel { generation: id })).await;
    }
}
