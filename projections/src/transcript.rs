//! Read model `transcript`: what was said. A row a message, user's or reply's; the text of a reply is written once,
//! when the reply is recorded, out of its generation's chunks. Holds no output of replies that still run: that is the
//! stream state's and the log's. Deleted conversations, withdrawn messages and other users' are absent.

mod apply;

use std::str::FromStr;

use slipstream_domain::{
    ConversationId, GenerationId, MessageId, ModelId, ProviderId, Role, TerminalStatus, Timestamp, UserId,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::QueryError;
use crate::followed::timestamp;
use crate::page::{Cursor, Page, page, rows_for};
use crate::read_models::ReadModels;
use crate::sql;

/// The read model.
pub struct Transcript;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: MessageId,
    /// What it follows; absent for the first, and while it is queued.
    pub parent_id: Option<MessageId>,
    /// Who wrote it.
    pub role: Role,
    /// How far it is.
    pub status: MessageStatus,
    /// Who was asked for it; absent for a user's.
    pub provider: Option<ProviderId>,
    /// With which model; absent for a user's.
    pub model: Option<ModelId>,
    /// What it says; absent while a reply runs, and when it was erased. A reply that ended without text has an empty
    /// one.
    pub text: Option<String>,
    /// What the model thought first, if it did.
    pub thinking_text: Option<String>,
    /// How long it thought, in milliseconds.
    pub thinking_ms: Option<u64>,
    /// The attempt that made it; absent for a user's.
    pub generation_id: Option<GenerationId>,
    /// When it was said or requested.
    pub created_at: Timestamp,
    /// When the reply was recorded.
    pub ended_at: Option<Timestamp>,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageStatus {
    /// A user's, sent.
    Posted,
    /// A user's, waiting for a reply to end.
    Queued,
    /// A reply that is being made.
    Running,
    /// A reply that is over.
    Ended(TerminalStatus),
}

impl MessageStatus {
    /// The word in the table and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ended(status) => status.as_str(),
        }
    }
}

impl FromStr for MessageStatus {
    type Err = QueryError;

    fn from_str(word: &str) -> Result<Self, QueryError> {
        let others = [Self::Posted, Self::Queued, Self::Running];
        let found = others.into_iter().find(|status| status.as_str() == word);
        found.or(sql::ended(word).map(Self::Ended)).ok_or_else(|| sql::unknown("message status", word))
    }
}

/// A message as a model is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryMessage {
    /// Who wrote it.
    pub role: Role,
    /// Who was asked for it; absent for a user's.
    pub provider: Option<ProviderId>,
    /// With which model; absent for a user's.
    pub model: Option<ModelId>,
    /// What it says; never empty.
    pub text: String,
}

/// The messages of one of the user's conversations, all branches, in the order they were posted and requested; `None`
/// when the user has no such conversation. Paging on, none is missed and none given twice, but for a queued message:
/// it stands at the end until it is posted, and then at its place.
///
/// # Errors
/// See [`QueryError`].
pub async fn messages(
    models: &ReadModels,
    user: UserId,
    conversation: ConversationId,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Option<Page<Message>>, QueryError> {
    let mut tx = models.read::<Transcript>().await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT message_id, parent_id, generation_id, position, created_at, ended_at, thinking_ms, role, status,
                provider, model, text, thinking_text
         FROM message WHERE conversation_id = $1 AND owner_id = $2 AND position > $3
         ORDER BY position LIMIT $4",
        conversation.as_uuid(),
        user.as_uuid(),
        after.map_or(0, Cursor::position),
        rows_for(limit)
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    if rows.is_empty() {
        let exists = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM message WHERE conversation_id = $1 AND owner_id = $2) AS "exists!""#,
            conversation.as_uuid(),
            user.as_uuid()
        );
        if !exists.fetch_one(&mut *tx).await? {
            return Ok(None);
        }
    }
    let rows: Result<_, QueryError> =
        rows.into_iter().map(|row| Ok((row.position, row.try_into()?))).collect();
    Ok(Some(page(limit, rows?)))
}

/// What was said from the first message down to `message`, along its ancestors: one branch. Messages without text are
/// left out: running, ended without output, erased. Whose conversation it is is not asked: this is for workers.
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
           SELECT m.role, m.provider, m.model, m.text AS "text!"
           FROM branch AS b JOIN message AS m USING (message_id)
           WHERE m.conversation_id = $1 AND m.status <> 'queued' AND m.text <> ''
           ORDER BY b.depth DESC"#,
        conversation.as_uuid(),
        message.as_uuid()
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    let messages = rows.into_iter().map(|row| {
        Ok(HistoryMessage {
            role: role(&row.role)?,
            provider: row.provider.as_deref().map(sql::provider).transpose()?,
            model: row.model.as_deref().map(sql::model).transpose()?,
            text: row.text,
        })
    });
    messages.collect()
}

struct Row {
    message_id: Uuid,
    parent_id: Option<Uuid>,
    generation_id: Option<Uuid>,
    position: i64,
    created_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    thinking_ms: Option<i64>,
    role: String,
    status: String,
    provider: Option<String>,
    model: Option<String>,
    text: Option<String>,
    thinking_text: Option<String>,
}

impl TryFrom<Row> for Message {
    type Error = QueryError;

    fn try_from(row: Row) -> Result<Self, QueryError> {
        Ok(Self {
            id: MessageId::from_uuid(row.message_id),
            parent_id: row.parent_id.map(MessageId::from_uuid),
            role: role(&row.role)?,
            status: row.status.parse()?,
            provider: row.provider.as_deref().map(sql::provider).transpose()?,
            model: row.model.as_deref().map(sql::model).transpose()?,
            text: row.text,
            thinking_text: row.thinking_text,
            thinking_ms: row.thinking_ms.map(sql::count),
            generation_id: row.generation_id.map(GenerationId::from_uuid),
            created_at: timestamp(row.created_at),
            ended_at: row.ended_at.map(timestamp),
        })
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn role(word: &str) -> Result<Role, QueryError> {
    let found = [Role::User, Role::Assistant].into_iter().find(|role| role_word(*role) == word);
    found.ok_or_else(|| sql::unknown("role", word))
}
