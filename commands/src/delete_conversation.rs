//! The user deletes a conversation: what waits is withdrawn, what runs is stopped, all in one append.

use slipstream_domain::event::ConversationEvent;
use slipstream_domain::generation::Cancellation;
use slipstream_domain::{Conversation, ConversationId, GenerationId, Meta, UserId};
use slipstream_eventlog::{Append, Position, StreamAppend};

use crate::cancel_generation::cancelled_unstarted;
use crate::loading::Loaded;
use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Deletes a conversation. Idempotent. Answers an event at or after the deletion: a reader that has come so far does not
/// show the conversation any more.
///
/// # Errors
/// `NotFound` when the actor does not own it; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn delete_conversation(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
) -> Result<Position, CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let deletion = conversation.state.delete(actor)?;
        if deletion.events.is_empty() {
            return Ok(conversation.last);
        }
        let streams = match deletion.cancel {
            Some(running) => app.with_running(actor, id, &conversation, deletion.events, running).await?,
            None => vec![streams::conversation(id, Some(actor), conversation.version, deletion.events)?],
        };
        let append = Append { streams, command_id: app.new_command(), guards: Vec::new() };
        let deleted = app.log.append(append).await?.last;
        if let Some(running) = deletion.cancel {
            app.hint_cancel(running).await;
        }
        Ok(deleted)
    })
}

impl Commands {
    /// The deletion together with the end of a reply that no worker has taken, or with the wish to stop it.
    async fn with_running(
        &self,
        actor: UserId,
        id: ConversationId,
        conversation: &Loaded<Conversation>,
        mut events: Vec<ConversationEvent>,
        running: GenerationId,
    ) -> Result<Vec<StreamAppend>, CommandError> {
        let generation = loading::generation(&self.log, running).await?;
        let mut streams = Vec::new();
        match generation.state.cancel(actor)? {
            Cancellation::EndNow => {
                let end = cancelled_unstarted(running, &generation)?;
                let meta = Meta { owner: Some(actor), at: self.now() };
                let mut deleted = conversation.state.clone();
                for event in &events {
                    deleted.evolve(event, meta);
                }
                let keys = |_: &_| Ok(slipstream_domain::KeySource::None);
                events.extend(
                    deleted
                        .record_reply(id, running, end.status, end.final_seq, keys)
                        .into_iter()
                        .flat_map(|r| r.events),
                );
                streams.push(streams::generation(running, id, Some(actor), end.version, end.event)?);
            }
            Cancellation::Requested(Some(event)) => {
                streams.push(streams::generation(running, id, Some(actor), generation.version, *event)?);
            }
            Cancellation::Requested(None) | Cancellation::Over(_) => {}
        }
        streams.push(streams::conversation(id, Some(actor), conversation.version, events)?);
        Ok(streams)
    }
}
