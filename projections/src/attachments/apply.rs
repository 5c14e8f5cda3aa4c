//! Files out of their events.

use slipstream_domain::event::{
    AttachmentEvent, AttachmentFailed, AttachmentLinked, AttachmentReady, AttachmentRequested,
};
use slipstream_domain::{AttachmentStatus, BatchId, Category, ConversationId, DraftId, Event, UserId};
use slipstream_eventlog::Recorded;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::Attachments;
use crate::followed::{Followed, instant};
use crate::projection::{ApplyError, Known, Projection};
use crate::sql::bigint;

impl Projection for Attachments {
    const NAME: &'static str = "attachments";
    const VERSION: i32 = 1;

    fn takes(event: &Recorded) -> bool {
        event.category.0 == Category::Attachment.number()
    }

    async fn apply(
        connection: &mut PgConnection,
        events: &[&Followed],
        _: Known<'_>,
    ) -> Result<(), ApplyError> {
        for followed in events {
            let Event::Attachment(event) = &followed.event else { continue };
            match event {
                AttachmentEvent::AttachmentRequested(asked) => request(connection, followed, asked).await?,
                AttachmentEvent::UploadStarted(_) => {
                    step(connection, followed, AttachmentStatus::Uploading).await?;
                }
                AttachmentEvent::AttachmentReady(ready) => store(connection, followed, ready).await?,
                AttachmentEvent::AttachmentFailed(AttachmentFailed { reason: _ }) => {
                    end(connection, followed, AttachmentStatus::Failed).await?;
                }
                AttachmentEvent::AttachmentLinked(linked) => link(connection, followed, *linked).await?,
                AttachmentEvent::AttachmentDeleted(_) => {
                    end(connection, followed, AttachmentStatus::Deleted).await?;
                }
                AttachmentEvent::AttachmentPurged(_) => purge(connection, followed).await?,
                // Who asks a vendor reads the file's own stream (ADR 22).
                AttachmentEvent::ProviderFileUploaded(_) => {}
            }
        }
        Ok(())
    }
}

async fn request(
    connection: &mut PgConnection,
    followed: &Followed,
    asked: &AttachmentRequested,
) -> Result<(), sqlx::Error> {
    let content = asked.content.open();
    sqlx::query!(
        "INSERT INTO attachment (attachment_id, owner_id, conversation_id, position, size, requested_at, origin,
                                 draft_id, batch_id, mime, bucket, key, filename, source_url)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        followed.stream,
        followed.meta.owner.map(UserId::as_uuid),
        asked.conversation_id.map(ConversationId::as_uuid),
        followed.position.get(),
        asked.size.map(bigint),
        instant(followed.meta.at),
        asked.origin.as_str(),
        asked.draft_id.as_ref().map(DraftId::as_str),
        asked.batch_id.as_ref().map(BatchId::as_str),
        asked.mime.as_str(),
        asked.bucket,
        content.map(|content| content.key.as_str()),
        content.map(|content| content.filename.as_str()),
        content.and_then(|content| content.source_url.as_deref()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn step(
    connection: &mut PgConnection,
    followed: &Followed,
    status: AttachmentStatus,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE attachment SET status = $2 WHERE attachment_id = $1",
        followed.stream,
        status.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn store(
    connection: &mut PgConnection,
    followed: &Followed,
    ready: &AttachmentReady,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE attachment
         SET status = $2, ready_at = $3, version_id = $4, etag = $5, size = $6, mime = $7, checksum = $8,
             storage_class = $9, image = $10, pages = $11, text_preview = $12
         WHERE attachment_id = $1",
        followed.stream,
        AttachmentStatus::Ready.as_str(),
        instant(followed.meta.at),
        ready.version_id.as_deref(),
        ready.etag,
        bigint(ready.size),
        ready.mime.as_str(),
        ready.checksum.as_deref(),
        ready.storage_class.as_deref(),
        ready.image.as_ref().map(Json) as _,
        ready.pages.and_then(|pages| i32::try_from(pages).ok()),
        ready.content.open().and_then(|content| content.text_preview.as_deref()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn link(
    connection: &mut PgConnection,
    followed: &Followed,
    linked: AttachmentLinked,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE attachment SET status = $2, message_id = $3, conversation_id = $4 WHERE attachment_id = $1",
        followed.stream,
        AttachmentStatus::Attached.as_str(),
        linked.message_id.as_uuid(),
        linked.conversation_id.as_uuid(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn end(
    connection: &mut PgConnection,
    followed: &Followed,
    status: AttachmentStatus,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE attachment SET status = $2, ended_at = $3 WHERE attachment_id = $1",
        followed.stream,
        status.as_str(),
        instant(followed.meta.at),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn purge(connection: &mut PgConnection, followed: &Followed) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM attachment WHERE attachment_id = $1", followed.stream)
        .execute(connection)
        .await?;
    Ok(())
}
