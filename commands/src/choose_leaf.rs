//! The user goes to another branch of a conversation.

use slipstream_domain::{ConversationId, MessageId, UserId};

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading};

/// Shows the conversation at this message from now on; the next one follows it. Idempotent: what is shown already writes
/// nothing. Possible while a reply is being made; that reply does not become the leaf then. Answers the conversation's
/// version with the choice in it.
///
/// # Errors
/// `NotFound` for a conversation that does not exist, is deleted or is not the actor's, and for a message that is not in
/// it or still waits; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn choose_leaf(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
    message: MessageId,
) -> Result<i64, CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let chosen = conversation.state.choose_leaf(actor, message)?;
        app.append_if_new(actor, id, &conversation, chosen).await
    })
}
