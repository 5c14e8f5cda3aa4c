//! Read model `conversations`: what a list of a user's conversations shows. Holds no messages. A deleted conversation
//! has no row, and another user's is as absent as one that never was.

use std::collections::HashMap;

use slipstream_domain::event::{ConversationEvent, TitleSet};
use slipstream_domain::{Category, ConversationId, Event, Timestamp, UserId};
use slipstream_eventlog::{Position, Recorded};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::QueryError;
use crate::followed::{Followed, instant, timestamp};
use crate::page::{Cursor, Page, page, rows_for};
use crate::projection::{ApplyError, Known, Projection};
use crate::read_models::ReadModels;

/// The read model.
pub struct Conversations;

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Which.
    pub id: ConversationId,
    /// Its title; absent when it was erased.
    pub title: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When something was last said in it, by either side. A rename does not count.
    pub updated_at: Timestamp,
    /// The version of its stream: gapless, +1 an event.
    pub version: i64,
}

/// The user's conversations, the one with the newest message first. Paging on, none is given twice, and none is missed
/// that stays where it is; one in which something is said meanwhile moves to the front, to the first page.
///
/// # Errors
/// See [`QueryError`].
pub async fn list(
    models: &ReadModels,
    user: UserId,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page<ConversationSummary>, QueryError> {
    let mut tx = models.read::<Conversations>().await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT conversation_id, title, created_at, active_at, active_position, version
         FROM conversation WHERE owner_id = $1 AND active_position < $2
         ORDER BY active_position DESC LIMIT $3",
        user.as_uuid(),
        after.map_or(i64::MAX, Cursor::position),
        rows_for(limit)
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    Ok(page(limit, rows.into_iter().map(|row| (row.active_position, row.into())).collect()))
}

/// One conversation of the user's.
///
/// # Errors
/// See [`QueryError`].
pub async fn find(
    models: &ReadModels,
    user: UserId,
    id: ConversationId,
) -> Result<Option<ConversationSummary>, QueryError> {
    let mut tx = models.read::<Conversations>().await?;
    let row = sqlx::query_as!(
        Row,
        "SELECT conversation_id, title, created_at, active_at, active_position, version
         FROM conversation WHERE conversation_id = $1 AND owner_id = $2",
        id.as_uuid(),
        user.as_uuid()
    );
    Ok(row.fetch_optional(&mut *tx).await?.map(Into::into))
}

struct Row {
    conversation_id: Uuid,
    title: Option<String>,
    created_at: OffsetDateTime,
    active_at: OffsetDateTime,
    active_position: i64,
    version: i64,
}

impl From<Row> for ConversationSummary {
    fn from(row: Row) -> Self {
        Self {
            id: ConversationId::from_uuid(row.conversation_id),
            title: row.title,
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.active_at),
            version: row.version,
        }
    }
}

impl Projection for Conversations {
    const NAME: &'static str = "conversations";
    const VERSION: i32 = 1;

    fn takes(event: &Recorded) -> bool {
        event.category.0 == Category::Conversation.number()
    }

    async fn apply(
        connection: &mut PgConnection,
        events: &[&Followed],
        _: Known<'_>,
    ) -> Result<(), ApplyError> {
        let mut changes = Changes::default();
        for followed in events {
            if let Event::Conversation(event) = &followed.event {
                changes.take(event, followed);
            }
        }
        delete(connection, &changes.deleted).await?;
        let (new, known): (Vec<_>, Vec<_>) =
            changes.of.into_iter().partition(|(_, change)| change.started.is_some());
        insert(connection, &new).await?;
        update(connection, &known).await?;
        Ok(())
    }
}

/// What some events change, folded to at most one change a conversation.
#[derive(Default)]
struct Changes {
    of: HashMap<Uuid, Change>,
    deleted: Vec<Uuid>,
}

#[derive(Default)]
struct Change {
    started: Option<(Option<Uuid>, OffsetDateTime)>,
    titled: bool,
    title: Option<String>,
    active: Option<(Position, OffsetDateTime)>,
    version: i64,
}

impl Changes {
    fn take(&mut self, event: &ConversationEvent, followed: &Followed) {
        let at = instant(followed.meta.at);
        let change = self.of.entry(followed.stream).or_default();
        change.version = followed.version;
        match event {
            ConversationEvent::ConversationStarted(_) => {
                change.started = Some((followed.meta.owner.map(UserId::as_uuid), at));
                change.active = Some((followed.position, at));
            }
            ConversationEvent::UserMessagePosted(_)
            | ConversationEvent::UserMessageQueued(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::ReplyRequested(_)
            | ConversationEvent::ReplyRecorded(_) => change.active = Some((followed.position, at)),
            ConversationEvent::TitleSet(TitleSet { content, .. }) => {
                change.titled = true;
                change.title = content.open().map(|content| content.title.as_str().to_owned());
            }
            ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_) => {}
            ConversationEvent::ConversationDeleted(_) => {
                self.of.remove(&followed.stream);
                self.deleted.push(followed.stream);
            }
        }
    }
}

async fn delete(connection: &mut PgConnection, conversations: &[Uuid]) -> Result<(), sqlx::Error> {
    if conversations.is_empty() {
        return Ok(());
    }
    sqlx::query!("DELETE FROM conversation WHERE conversation_id = ANY ($1)", conversations)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert(connection: &mut PgConnection, started: &[(Uuid, Change)]) -> Result<(), sqlx::Error> {
    let rows = started.iter().filter_map(|(id, change)| Some((id, change, change.started?, change.active?)));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO conversation (conversation_id, owner_id, created_at, active_position, active_at, version, title)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::timestamptz[],
                              $6::bigint[], $7::text[])",
        &rows.iter().map(|(id, ..)| **id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, _, started, _)| started.0).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, _, started, _)| started.1).collect::<Vec<_>>(),
        &rows.iter().map(|(.., active)| active.0.get()).collect::<Vec<_>>(),
        &rows.iter().map(|(.., active)| active.1).collect::<Vec<_>>(),
        &rows.iter().map(|(_, change, ..)| change.version).collect::<Vec<_>>(),
        &rows.iter().map(|(_, change, ..)| change.title.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, changed: &[(Uuid, Change)]) -> Result<(), sqlx::Error> {
    if changed.is_empty() {
        return Ok(());
    }
    let active = || changed.iter().map(|(_, change)| change.active);
    sqlx::query!(
        "UPDATE conversation AS c
         SET version = n.version, title = CASE WHEN n.titled THEN n.title ELSE c.title END,
             active_position = coalesce(n.active_position, c.active_position),
             active_at = coalesce(n.active_at, c.active_at)
         FROM unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::text[], $5::bigint[], $6::timestamptz[])
              AS n (conversation_id, version, titled, title, active_position, active_at)
         WHERE c.conversation_id = n.conversation_id",
        &changed.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &changed.iter().map(|(_, change)| change.version).collect::<Vec<_>>(),
        &changed.iter().map(|(_, change)| change.titled).collect::<Vec<_>>(),
        &changed.iter().map(|(_, change)| change.title.clone()).collect::<Vec<_>>() as &[Option<String>],
        &active().map(|active| Some(active?.0.get())).collect::<Vec<_>>() as &[Option<i64>],
        &active().map(|active| Some(active?.1)).collect::<Vec<_>>() as &[Option<OffsetDateTime>],
    )
    .execute(connection)
    .await?;
    Ok(())
}
