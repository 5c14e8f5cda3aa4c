//! Read model `attachments`: every file of a user, how far it has come, where its bytes are and what was found in them.
//! Another user's is as absent as one that never was; what is deleted is seen by the reaper alone.

mod apply;

use std::collections::HashMap;

use slipstream_domain::attachment::Usage;
use slipstream_domain::{
    AttachmentId, AttachmentStatus, BatchId, BlobKey, ConversationId, DraftId, ImageDetails, MessageId,
    Origin, Timestamp, UserId,
};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::QueryError;
use crate::followed::{instant, timestamp};
use crate::page::{Cursor, Page, page, rows_for};
use crate::read_models::ReadModels;
use crate::sql;

/// The read model.
pub struct Attachments;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentSummary {
    /// Which.
    pub id: AttachmentId,
    /// Where its message is; before that, where its client was.
    pub conversation: Option<ConversationId>,
    /// The message it belongs to.
    pub message: Option<MessageId>,
    /// Its client's name for it.
    pub draft_id: Option<String>,
    /// Its client's name for it and those beside it.
    pub batch_id: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// How far it has come.
    pub status: AttachmentStatus,
    /// What it is called; absent when erased.
    pub filename: Option<String>,
    /// What it is.
    pub mime: String,
    /// Bytes; absent while nobody can say.
    pub size: Option<u64>,
    /// Where its bytes are; absent when erased.
    pub blob: Option<BlobKey>,
    /// The version that was checked.
    pub version_id: Option<String>,
    /// What is seen in a picture.
    pub image: Option<ImageDetails>,
    /// Pages of a document.
    pub pages: Option<u32>,
    /// When it was announced.
    pub requested_at: Timestamp,
    /// When it was stored and had been checked.
    pub ready_at: Option<Timestamp>,
}

/// The user's files, the newest first.
///
/// # Errors
/// See [`QueryError`].
pub async fn list(
    models: &ReadModels,
    user: UserId,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page<AttachmentSummary>, QueryError> {
    let which =
        Which { before: after.map(Cursor::position), limit: Some(rows_for(limit)), ..Which::of(user) };
    let rows = select(models, which).await?;
    Ok(page(limit, rows))
}

/// The user's files that one client calls so, the one announced first at the front.
///
/// # Errors
/// See [`QueryError`].
pub async fn of_batch(
    models: &ReadModels,
    user: UserId,
    batch: &BatchId,
) -> Result<Vec<AttachmentSummary>, QueryError> {
    let rows = select(models, Which { batch: Some(batch), ..Which::of(user) }).await?;
    Ok(rows.into_iter().rev().map(|(_, file)| file).collect())
}

/// The newest of the user's files that one client calls so.
///
/// # Errors
/// See [`QueryError`].
pub async fn of_draft(
    models: &ReadModels,
    user: UserId,
    draft: &DraftId,
) -> Result<Option<AttachmentSummary>, QueryError> {
    let rows = select(models, Which { draft: Some(draft), limit: Some(1), ..Which::of(user) }).await?;
    Ok(rows.into_iter().next().map(|(_, file)| file))
}

/// The user's files of one message, the one announced first at the front.
///
/// # Errors
/// See [`QueryError`].
pub async fn of_message(
    models: &ReadModels,
    user: UserId,
    message: MessageId,
) -> Result<Vec<AttachmentSummary>, QueryError> {
    let rows = select(models, Which { message: Some(message), ..Which::of(user) }).await?;
    Ok(rows.into_iter().rev().map(|(_, file)| file).collect())
}

/// The files of these messages, whosever they are, the one announced first at the front.
pub(crate) async fn of_messages(
    models: &ReadModels,
    messages: Vec<Uuid>,
) -> Result<HashMap<MessageId, Vec<AttachmentId>>, QueryError> {
    let mut tx = models.read::<Attachments>().await?;
    let rows = sqlx::query!(
        r#"SELECT message_id AS "message_id!", attachment_id FROM attachment
           WHERE message_id = ANY ($1) AND status = 'ATTACHED' ORDER BY position"#,
        &messages
    );
    let mut files: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows.fetch_all(&mut *tx).await? {
        let file = AttachmentId::from_uuid(row.attachment_id);
        files.entry(MessageId::from_uuid(row.message_id)).or_default().push(file);
    }
    Ok(files)
}

/// One file of the user's.
///
/// # Errors
/// See [`QueryError`].
pub async fn find(
    models: &ReadModels,
    user: UserId,
    id: AttachmentId,
) -> Result<Option<AttachmentSummary>, QueryError> {
    let mut rows = select(models, Which { id: Some(id), ..Which::of(user) }).await?;
    Ok(rows.pop().map(|(_, file)| file))
}

/// What the user has stored and announced.
///
/// # Errors
/// See [`QueryError`].
pub async fn usage(models: &ReadModels, user: UserId) -> Result<Usage, QueryError> {
    let mut tx = models.read::<Attachments>().await?;
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(size), 0)::bigint AS "bytes!",
                  count(*) FILTER (WHERE status IN ('REQUESTED', 'UPLOADING')) AS "open!"
           FROM attachment WHERE owner_id = $1 AND status NOT IN ('FAILED', 'DELETED')"#,
        user.as_uuid()
    );
    let row = row.fetch_one(&mut *tx).await?;
    Ok(Usage { bytes: sql::count(row.bytes), open: sql::count(row.open) })
}

/// All files of the user's that are not purged, also those that are deleted.
///
/// # Errors
/// See [`QueryError`].
pub async fn unpurged_of(models: &ReadModels, user: UserId) -> Result<Vec<AttachmentId>, QueryError> {
    let mut tx = models.read::<Attachments>().await?;
    let ids = sqlx::query_scalar!("SELECT attachment_id FROM attachment WHERE owner_id = $1", user.as_uuid());
    Ok(ids.fetch_all(&mut *tx).await?.into_iter().map(AttachmentId::from_uuid).collect())
}

/// Files that were announced before `then` and have not come, the oldest first, with whose they are.
///
/// # Errors
/// See [`QueryError`].
pub async fn overdue(
    models: &ReadModels,
    then: Timestamp,
    limit: u16,
) -> Result<Vec<(UserId, AttachmentId)>, QueryError> {
    let mut tx = models.read::<Attachments>().await?;
    let rows = sqlx::query!(
        r#"SELECT owner_id AS "owner_id!", attachment_id FROM attachment
           WHERE status IN ('REQUESTED', 'UPLOADING') AND requested_at < $1 AND owner_id IS NOT NULL
           ORDER BY requested_at LIMIT $2"#,
        instant(then),
        i64::from(limit)
    );
    let rows = rows.fetch_all(&mut *tx).await?.into_iter();
    Ok(rows
        .map(|row| (UserId::from_uuid(row.owner_id), AttachmentId::from_uuid(row.attachment_id)))
        .collect())
}

/// Files that were deleted before `then` and whose bytes are there, the oldest first, with whose they are.
///
/// # Errors
/// See [`QueryError`].
pub async fn unpurged(
    models: &ReadModels,
    then: Timestamp,
    limit: u16,
) -> Result<Vec<(UserId, AttachmentId)>, QueryError> {
    let mut tx = models.read::<Attachments>().await?;
    let rows = sqlx::query!(
        r#"SELECT owner_id AS "owner_id!", attachment_id FROM attachment
           WHERE status = 'DELETED' AND ended_at < $1 AND owner_id IS NOT NULL ORDER BY ended_at LIMIT $2"#,
        instant(then),
        i64::from(limit)
    );
    let rows = rows.fetch_all(&mut *tx).await?.into_iter();
    Ok(rows
        .map(|row| (UserId::from_uuid(row.owner_id), AttachmentId::from_uuid(row.attachment_id)))
        .collect())
}

/// Which of a user's files.
struct Which<'a> {
    user: UserId,
    id: Option<AttachmentId>,
    batch: Option<&'a BatchId>,
    draft: Option<&'a DraftId>,
    message: Option<MessageId>,
    before: Option<i64>,
    limit: Option<i64>,
}

impl Which<'_> {
    fn of(user: UserId) -> Self {
        Self { user, id: None, batch: None, draft: None, message: None, before: None, limit: None }
    }
}

/// The newest first, each with its position. A user's files are few, and found by one index.
async fn select(models: &ReadModels, which: Which<'_>) -> Result<Vec<(i64, AttachmentSummary)>, QueryError> {
    let mut tx = models.read::<Attachments>().await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT attachment_id, conversation_id, message_id, position, size, requested_at, ready_at, pages, status,
                  origin, draft_id, batch_id, mime, bucket, key, filename, version_id,
                  image AS "image: Json<ImageDetails>"
           FROM attachment
           WHERE owner_id = $1 AND status <> 'DELETED'
             AND ($2::uuid IS NULL OR attachment_id = $2) AND ($3::text IS NULL OR batch_id = $3)
             AND ($4::uuid IS NULL OR message_id = $4) AND ($5::bigint IS NULL OR position < $5)
             AND ($6::text IS NULL OR draft_id = $6)
           ORDER BY position DESC LIMIT $7"#,
        which.user.as_uuid(),
        which.id.map(AttachmentId::as_uuid),
        which.batch.map(BatchId::as_str),
        which.message.map(MessageId::as_uuid),
        which.before,
        which.draft.map(DraftId::as_str),
        which.limit
    );
    let rows = rows.fetch_all(&mut *tx).await?;
    rows.into_iter().map(|row| Ok((row.position, row.try_into()?))).collect()
}

struct Row {
    attachment_id: Uuid,
    conversation_id: Option<Uuid>,
    message_id: Option<Uuid>,
    position: i64,
    size: Option<i64>,
    requested_at: OffsetDateTime,
    ready_at: Option<OffsetDateTime>,
    pages: Option<i32>,
    status: String,
    origin: String,
    draft_id: Option<String>,
    batch_id: Option<String>,
    mime: String,
    bucket: String,
    key: Option<String>,
    filename: Option<String>,
    version_id: Option<String>,
    image: Option<Json<ImageDetails>>,
}

impl TryFrom<Row> for AttachmentSummary {
    type Error = QueryError;

    fn try_from(row: Row) -> Result<Self, QueryError> {
        Ok(Self {
            id: AttachmentId::from_uuid(row.attachment_id),
            conversation: row.conversation_id.map(ConversationId::from_uuid),
            message: row.message_id.map(MessageId::from_uuid),
            draft_id: row.draft_id,
            batch_id: row.batch_id,
            origin: word("origin", &row.origin)?,
            status: word("attachment status", &row.status)?,
            filename: row.filename,
            mime: row.mime,
            size: row.size.map(sql::count),
            blob: row.key.and_then(|key| BlobKey::parse(&row.bucket, &key).ok()),
            version_id: row.version_id,
            image: row.image.map(|Json(image)| image),
            pages: row.pages.and_then(|pages| u32::try_from(pages).ok()),
            requested_at: timestamp(row.requested_at),
            ready_at: row.ready_at.map(timestamp),
        })
    }
}

/// A word of the domain out of the table.
fn word<T: serde::de::DeserializeOwned>(what: &'static str, word: &str) -> Result<T, QueryError> {
    serde_json::from_value(word.into()).map_err(|_| sql::unknown(what, word))
}
