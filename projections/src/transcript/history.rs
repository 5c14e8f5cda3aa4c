//! What a model is told: one branch, from the first message to the one it answers.

use slipstream_domain::{AttachmentId, ConversationId, GenerationId, MessageId, ModelId, ProviderId, Role};

use super::{Transcript, role};
use crate::attachments;
use crate::error::QueryError;
use crate::read_models::ReadModels;
use crate::sql;

/// A message as a model is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryMessage {
    /// Who wrote it.
    pub role: Role,
    /// The generation that made it; absent for a user's.
    pub generation: Option<GenerationId>,
    /// Who answered; absent for a user's.
    pub provider: Option<ProviderId>,
    /// With which model; absent for a user's.
    pub model: Option<ModelId>,
    /// What it says; never empty.
    pub text: String,
    /// The files beside it, as their messages name them.
    pub attachments: Vec<AttachmentId>,
}

/// What was said from the first message down to `message`, along its ancestors: one branch. Messages without text are
/// left out: running, ended without output, erased; what the user said around them is one message. Whose conversation it
/// is is not asked: this is for workers. What files there are says the read model of files.
///
/// # Errors
/// See [`QueryError`].
pub async fn history(
    models: &ReadModels,
    conversation: ConversationId,
    message: MessageId,
) -> Result<Vec<HistoryMessage>, QueryError> {
    let mut tx = models.read::<Transcript>().await?;
    let rows = sqlx::query!(
        r#"WITH RECURSIVE branch (message_id, depth) AS (
               SELECT $2::uuid, 0
               UNION ALL
               SELECT m.parent_id, b.depth + 1
               FROM branch AS b JOIN message AS m USING (message_id)
               WHERE m.conversation_id = $1 AND m.parent_id IS NOT NULL
           )
           SELECT m.message_id, m.role, m.generation_id, m.provider, m.model, m.text AS "text!"
           FROM branch AS b JOIN message AS m USING (message_id)
           WHERE m.conversation_id = $1 AND m.status <> 'queued' AND m.text <> ''
           ORDER BY b.depth DESC"#,
        conversation.as_uuid(),
        message.as_uuid()
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    // Whoever holds one connection and waits for another can be many, and then nobody gets one.
    drop(tx);
    let users = rows.iter().filter(|row| row.generation_id.is_none()).map(|row| row.message_id);
    let mut files = attachments::of_messages(models, users.collect()).await?;
    let messages = rows.into_iter().map(|row| {
        Ok(HistoryMessage {
            role: role(&row.role)?,
            generation: row.generation_id.map(GenerationId::from_uuid),
            provider: row.provider.as_deref().map(sql::provider).transpose()?,
            model: row.model.as_deref().map(sql::model).transpose()?,
            text: row.text,
            attachments: files.remove(&MessageId::from_uuid(row.message_id)).unwrap_or_default(),
        })
    });
    messages.collect::<Result<Vec<_>, _>>().map(merged)
}

/// A history with consecutive messages of the user's as one, a blank line between them: vendors want the two sides to take
/// turns.
pub(crate) fn merged(messages: Vec<HistoryMessage>) -> Vec<HistoryMessage> {
    let mut merged: Vec<HistoryMessage> = Vec::with_capacity(messages.len());
    for message in messages {
        match merged.last_mut() {
            Some(last) if last.role == Role::User && message.role == Role::User => {
                last.text.push_str("\n\n");
                last.text.push_str(&message.text);
                last.attachments.extend(message.attachments);
            }
            Some(_) | None => merged.push(message),
        }
    }
    merged
}
