//! Read model `transcript`: what was said. A row a message, user's or reply's; the text of a reply is written once,
//! when the reply is recorded, out of its generation's chunks; and where each conversation's tree is shown. Holds no output
//! of replies that still run: that is the stream state's and the log's. Deleted conversations, withdrawn messages and other
//! users' are absent.

mod apply;
mod branch;
mod history;
mod leaves;
mod locate;
mod search;

use std::collections::HashMap;
use std::str::FromStr;

use slipstream_domain::{
    ConversationId, GenerationId, MessageId, ModelId, ProviderId, Rating, Role, TerminalStatus, Timestamp,
    UserId,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use self::branch::{Place, Shape};
use crate::error::QueryError;
use crate::followed::timestamp;
use crate::page::{Cursor, Page, page};
use crate::read_models::ReadModels;
use crate::sql;

pub use self::branch::Sibling;
pub(crate) use self::history::merged;
pub use self::history::{HistoryMessage, history};
pub use self::locate::conversation_of;
pub use self::search::{Found, FoundCursor, INDEXED, Piece, search};

/// The read model.
pub struct Transcript;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which.
    pub id: MessageId,
    /// What it follows; absent for the first, and while it is queued.
    pub parent_id: Option<MessageId>,
    /// The message it is another version of.
    pub edited_from: Option<MessageId>,
    /// The messages under the same parent, this one among them, the oldest first; empty when it is alone.
    pub siblings: Vec<Sibling>,
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
    /// What its user thinks of it; [`Rating::None`] for a user's.
    pub rating: Rating,
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

/// The messages of one of the user's conversations as it is shown: from the first one down to its leaf, then the reply
/// that is being made to that, then what waits. `None` when the user has no such conversation. Paging on, none is missed
/// and none given twice, as long as the leaf stays on the branch; what waits stands at the end until it is posted.
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
    let shape = shape(&mut tx, user, conversation).await?;
    if shape.is_empty() {
        return Ok(None);
    }
    let leaf =
        sqlx::query_scalar!("SELECT message_id FROM leaf WHERE conversation_id = $1", conversation.as_uuid());
    let leaf = leaf.fetch_optional(&mut *tx).await?.map(MessageId::from_uuid);
    let after = after.map_or(0, Cursor::position);
    let shown = shape.shown(leaf).into_iter().filter(|(key, _)| *key > after);
    let Page { items: ids, next } = page(limit, shown.collect());
    let mut siblings = shape.siblings(&ids);
    let mut rows = rows(&mut tx, &ids).await?;
    let items = ids.iter().filter_map(|id| {
        let siblings = siblings.remove(id).unwrap_or_default();
        Some(rows.remove(&id.as_uuid())?.message(siblings))
    });
    Ok(Some(Page { items: items.collect::<Result<_, _>>()?, next }))
}

async fn shape(
    connection: &mut PgConnection,
    user: UserId,
    conversation: ConversationId,
) -> Result<Shape, QueryError> {
    let rows = sqlx::query!(
        "SELECT message_id, parent_id, position, status FROM message
         WHERE conversation_id = $1 AND owner_id = $2 ORDER BY position",
        conversation.as_uuid(),
        user.as_uuid()
    );
    let places = rows.fetch_all(connection).await?.into_iter().map(|row| {
        Ok(Place {
            id: MessageId::from_uuid(row.message_id),
            parent: row.parent_id.map(MessageId::from_uuid),
            position: row.position,
            status: row.status.parse()?,
        })
    });
    Ok(Shape::new(places.collect::<Result<_, QueryError>>()?))
}

async fn rows(connection: &mut PgConnection, ids: &[MessageId]) -> Result<HashMap<Uuid, Row>, QueryError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT message_id, parent_id, edited_from, generation_id, created_at, ended_at, thinking_ms, role, status,
                rating, provider, model, text, thinking_text
         FROM message WHERE message_id = ANY ($1)",
        &ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>()
    );
    Ok(rows.fetch_all(connection).await?.into_iter().map(|row| (row.message_id, row)).collect())
}

struct Row {
    message_id: Uuid,
    parent_id: Option<Uuid>,
    edited_from: Option<Uuid>,
    generation_id: Option<Uuid>,
    created_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    thinking_ms: Option<i64>,
    role: String,
    status: String,
    rating: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    text: Option<String>,
    thinking_text: Option<String>,
}

impl Row {
    fn message(self, siblings: Vec<Sibling>) -> Result<Message, QueryError> {
        let row = self;
        Ok(Message {
            id: MessageId::from_uuid(row.message_id),
            parent_id: row.parent_id.map(MessageId::from_uuid),
            edited_from: row.edited_from.map(MessageId::from_uuid),
            siblings,
            role: role(&row.role)?,
            status: row.status.parse()?,
            provider: row.provider.as_deref().map(sql::provider).transpose()?,
            model: row.model.as_deref().map(sql::model).transpose()?,
            text: row.text,
            thinking_text: row.thinking_text,
            thinking_ms: row.thinking_ms.map(sql::count),
            generation_id: row.generation_id.map(GenerationId::from_uuid),
            rating: row.rating.as_deref().map_or(Ok(Rating::None), rating)?,
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

fn rating(word: &str) -> Result<Rating, QueryError> {
    let found = [Rating::Up, Rating::Down].into_iter().find(|rating| rating.as_str() == word);
    found.ok_or_else(|| sql::unknown("rating", word))
}
