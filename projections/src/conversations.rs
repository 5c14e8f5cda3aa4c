//! Read model `conversations`: what a list of a user's conversations shows, and what is set for each. Holds no messages. A deleted conversation
//! has no row, and another user's is as absent as one that never was.

use std::collections::HashMap;

use slipstream_domain::conversation::Settings;
use slipstream_domain::event::{ConversationEvent, TitleSet};
use slipstream_domain::{
    Category, ConversationId, Event, MaxTokens, Params, SystemPrompt, Temperature, Timestamp, TopP, UserId,
};
use slipstream_eventlog::{Position, Recorded};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::QueryError;
use crate::followed::{Followed, instant, timestamp};
use crate::page::{Cursor, Page, page, rows_for};
use crate::projection::{ApplyError, Known, Projection};
use crate::read_models::ReadModels;
use crate::sql;

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

/// A conversation by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// What a list shows of it.
    pub summary: ConversationSummary,
    /// What holds for its requests.
    pub settings: Settings,
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
) -> Result<Option<Conversation>, QueryError> {
    let mut tx = models.read::<Conversations>().await?;
    let row = sqlx::query!(
        "SELECT title, created_at, active_at, version, temperature, top_p, max_tokens, enable_thinking,
                enable_web_search, system_prompt
         FROM conversation WHERE conversation_id = $1 AND owner_id = $2",
        id.as_uuid(),
        user.as_uuid()
    );
    let Some(row) = row.fetch_optional(&mut *tx).await? else { return Ok(None) };
    let params = Params {
        temperature: row.temperature.map(Temperature::parse).transpose().map_err(unreadable)?,
        top_p: row.top_p.map(TopP::parse).transpose().map_err(unreadable)?,
        max_tokens: row.max_tokens.map(sql::count).map(MaxTokens::parse).transpose().map_err(unreadable)?,
        enable_thinking: row.enable_thinking,
        enable_web_search: row.enable_web_search,
        picture_size: None,
    };
    let system_prompt = row.system_prompt.map(SystemPrompt::parse).transpose().map_err(unreadable)?;
    let summary = ConversationSummary {
        id,
        title: row.title,
        created_at: timestamp(row.created_at),
        updated_at: timestamp(row.active_at),
        version: row.version,
    };
    Ok(Some(Conversation { summary, settings: Settings { params, system_prompt } }))
}

/// The titles of those of `ids` that are the user's.
///
/// # Errors
/// See [`QueryError`].
pub async fn titles(
    models: &ReadModels,
    user: UserId,
    ids: &[ConversationId],
) -> Result<HashMap<ConversationId, Option<String>>, QueryError> {
    let mut tx = models.read::<Conversations>().await?;
    let rows = sqlx::query!(
        "SELECT conversation_id, title FROM conversation WHERE conversation_id = ANY ($1) AND owner_id = $2",
        &ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>(),
        user.as_uuid()
    );
    let rows = rows.fetch_all(&mut *tx).await?.into_iter();
    Ok(rows.map(|row| (ConversationId::from_uuid(row.conversation_id), row.title)).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: impl ToString) -> QueryError {
    QueryError::Unreadable(error.to_string())
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
    const VERSION: i32 = 2;

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
        set(connection, &changes.set.into_iter().collect::<Vec<_>>()).await?;
        Ok(())
    }
}

/// What some events change, folded to at most one change a conversation.
#[derive(Default)]
struct Changes {
    of: HashMap<Uuid, Change>,
    set: HashMap<Uuid, Settings>,
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
            ConversationEvent::ConversationSettingsChanged(changed) => {
                self.set.insert(followed.stream, changed.into());
            }
            ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_) => {}
            ConversationEvent::ConversationDeleted(_) => {
                self.of.remove(&followed.stream);
                self.set.remove(&followed.stream);
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

async fn set(connection: &mut PgConnection, settings: &[(Uuid, Settings)]) -> Result<(), sqlx::Error> {
    if settings.is_empty() {
        return Ok(());
    }
    let params = || settings.iter().map(|(_, settings)| settings.params);
    let prompt = |settings: &Settings| settings.system_prompt.as_ref().map(|text| text.as_str().to_owned());
    sqlx::query!(
        "UPDATE conversation AS c
         SET temperature = n.temperature, top_p = n.top_p, max_tokens = n.max_tokens,
             enable_thinking = n.enable_thinking, enable_web_search = n.enable_web_search,
             system_prompt = n.system_prompt
         FROM unnest($1::uuid[], $2::double precision[], $3::double precision[], $4::bigint[], $5::boolean[],
                     $6::boolean[], $7::text[])
              AS n (conversation_id, temperature, top_p, max_tokens, enable_thinking, enable_web_search,
                    system_prompt)
         WHERE c.conversation_id = n.conversation_id",
        &settings.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &params().map(|params| params.temperature.map(Temperature::get)).collect::<Vec<_>>()
            as &[Option<f64>],
        &params().map(|params| params.top_p.map(TopP::get)).collect::<Vec<_>>() as &[Option<f64>],
        &params().map(|params| params.max_tokens.map(|most| i64::from(most.get()))).collect::<Vec<_>>()
            as &[Option<i64>],
        &params().map(|params| params.enable_thinking).collect::<Vec<_>>() as &[Option<bool>],
        &params().map(|params| params.enable_web_search).collect::<Vec<_>>() as &[Option<bool>],
        &settings.iter().map(|(_, settings)| prompt(settings)).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(connection)
    .await?;
    Ok(())
}
