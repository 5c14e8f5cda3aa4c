//! The user says what they think of a reply.

use slipstream_domain::{ConversationId, MessageId, Rating, UserId};

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading};

/// Rates a reply; [`Rating::None`] takes a rating back. Idempotent: rating it as it is rated writes nothing. Answers the
/// conversation's version with the rating in it.
///
/// # Errors
/// `NotFound` for a conversation that does not exist, is deleted or is not the actor's, and for a message that is not in
/// it or still waits; `WrongMessage` for one that is no reply; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn rate_message(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
    message: MessageId,
    rating: Rating,
) -> Result<i64, CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let rated = conversation.state.rate(actor, message, rating)?;
        app.append_if_new(actor, id, &conversation, rated).await
    })
}
