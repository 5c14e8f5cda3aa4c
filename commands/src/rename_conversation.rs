//! The user names a conversation.

use slipstream_domain::{ConversationId, Title, UserId};
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Gives the conversation the user's own title; no generated one replaces it later.
///
/// # Errors
/// `NotFound` when it does not exist, is deleted, or is not the actor's; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn rename_conversation(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
    title: Title,
) -> Result<(), CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let renamed = conversation.state.rename(actor, title.clone())?;
        let streams = vec![streams::conversation(id, Some(actor), conversation.version, vec![renamed])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}
