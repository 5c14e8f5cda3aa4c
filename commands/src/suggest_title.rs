//! A model has found a title for a conversation.

use slipstream_domain::conversation::SuggestedTitle;
use slipstream_domain::{ConversationId, UserId};
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Gives the conversation of `owner` a title that a model made, unless the user has named it. Answers whether it has the
/// title now.
///
/// # Errors
/// `NotFound` when it does not exist or is deleted; `Contended`, `Erased`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn suggest_title(
    app: &Commands,
    owner: UserId,
    id: ConversationId,
    suggested: SuggestedTitle,
) -> Result<bool, CommandError> {
    let _turn = app.turns.take(owner).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let Some(titled) = conversation.state.suggest_title(suggested.clone())? else { return Ok(false) };
        let streams = vec![streams::conversation(id, Some(owner), conversation.version, vec![titled])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(true)
    })
}
