//! The user withdraws a message that waits for a reply to end.

use slipstream_domain::{ConversationId, GenerationId, UserId};
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Withdraws the waiting message whose reply would be `generation`. Idempotent: one that does not wait, because it was
/// withdrawn or has been sent, stays as it is.
///
/// # Errors
/// `NotFound` when the actor does not own the conversation; `Contended`, `Unavailable`, `Unreadable`.
pub async fn withdraw_message(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
    generation: GenerationId,
) -> Result<(), CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let Some(event) = conversation.state.withdraw(actor, generation)? else { return Ok(()) };
        let streams = vec![streams::conversation(id, Some(actor), conversation.version, vec![event])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}
