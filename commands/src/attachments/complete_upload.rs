//! A client says that it has uploaded a file: what is there is compared with what was said.

use slipstream_domain::attachment::{Announced, Found, Sniffed};
use slipstream_domain::event::AttachmentEvent;
use slipstream_domain::{AttachmentId, UserId};

use super::inspect::Look;
use super::{AttachmentError, Attachments, ReadyFile, ready_of};
use crate::CommandError;
use crate::ports::{Blob, BlobMeta};
use crate::retrying::retrying;

impl Attachments {
    /// Checks what was uploaded. Where it is and what it must be, the log says, not the caller. Idempotent.
    ///
    /// # Errors
    /// `NotFound`; `NotUploaded` when nothing is there yet; `Failed` when it is not what was said: then it never will be, and
    /// what is there is removed; `Contended`, `Erased`, `Unavailable`, `Unreadable`.
    #[tracing::instrument(skip_all, fields(attachment.id = %id))]
    pub async fn complete_upload(
        &self,
        actor: UserId,
        id: AttachmentId,
    ) -> Result<ReadyFile, AttachmentError> {
        retrying!(self.app, self.complete(actor, id), AttachmentError::Command(CommandError::Contended))
    }

    async fn complete(&self, actor: UserId, id: AttachmentId) -> Result<ReadyFile, AttachmentError> {
        let mut file = self.load(id).await?;
        let announced = file.state.of(actor)?.clone();
        if file.state.is_open() {
            let found = self.find(&announced).await?;
            if let Some(event) = file.state.complete(actor, found, self.settings.limits.pixels)? {
                self.append(id, actor, file.version, event.clone(), Vec::new()).await?;
                if matches!(event, AttachmentEvent::AttachmentFailed(_)) {
                    self.discard(&announced).await;
                }
                file = self.load(id).await?;
            }
        }
        ready_of(id, actor, &file.state)
    }

    /// What the store has, and what a look into it tells.
    pub(super) async fn find(&self, announced: &Announced) -> Result<Found, AttachmentError> {
        let key = announced.blob().ok_or(CommandError::Erased)?;
        let meta = self.store.head(&key).await?;
        let asked = &announced.asked;
        let as_said = meta.mime == asked.mime && asked.size.is_none_or(|size| size == meta.size);
        // What fails anyway is not even read.
        let look = if as_said {
            let blob = Blob { key, version_id: meta.version_id.clone() };
            self.look(&blob, &meta).await?
        } else {
            Look::of(Sniffed::Unknown)
        };
        let BlobMeta { size, mime, etag, version_id, checksum, storage_class } = meta;
        let Look { sniffed, image, pages, text_preview } = look;
        Ok(Found {
            version_id,
            etag,
            size,
            mime,
            checksum,
            storage_class,
            sniffed,
            image,
            pages,
            text_preview,
        })
    }
}
