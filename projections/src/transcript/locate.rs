//! Which conversation a message is in, for frames that name only the message.

use std::time::Duration;

use slipstream_domain::{ConversationId, MessageId, UserId};
use slipstream_eventlog::Waited;

use super::Transcript;
use crate::error::QueryError;
use crate::read_models::ReadModels;
use crate::wait::wait_for;

/// How long [`conversation_of`] waits for the transcript at the most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which of the user's conversations a message is in; `None` when it is in none of them, or withdrawn. Knows every message
/// that was durable before the call: for one it does not find, it waits until the transcript has come so far. What was
/// said in a conversation after it was parked is unknown here until it is retried; who knows the conversation need not ask.
///
/// # Errors
/// `Unavailable` when that takes more than two seconds; see [`QueryError`].
pub async fn conversation_of(
    models: &ReadModels,
    user: UserId,
    message: MessageId,
) -> Result<Option<ConversationId>, QueryError> {
    if let Some(found) = find_conversation(models, user, message).await? {
        return Ok(Some(found));
    }
    let head = models.log().head().await?.position;
    // Nothing has this correlation: that the message's own is parked cannot be known before it is found.
    let nothing = ConversationId::from_uuid(message.as_uuid());
    match wait_for::<Transcript>(models.log(), nothing, head, PATIENCE).await {
        Waited::Reached | Waited::Parked => find_conversation(models, user, message).await,
        Waited::TimedOut => Err(QueryError::Unavailable("the transcript is behind".into())),
    }
}

async fn find_conversation(
    models: &ReadModels,
    user: UserId,
    message: MessageId,
) -> Result<Option<ConversationId>, QueryError> {
    let mut tx = models.read::<Transcript>().await?;
    let found = sqlx::query_scalar!(
        "SELECT conversation_id FROM message WHERE message_id = $1 AND owner_id = $2",
        message.as_uuid(),
        user.as_uuid()
    );
    Ok(found.fetch_optional(&mut *tx).await?.map(ConversationId::from_uuid))
}
