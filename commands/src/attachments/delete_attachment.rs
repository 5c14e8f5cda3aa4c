//! A file is gone for its owner; later, its bytes for everybody.

use slipstream_domain::{AttachmentId, UserId};

use super::{AttachmentError, Attachments};
use crate::CommandError;
use crate::retrying::retrying;

impl Attachments {
    /// Deletes a file. Its bytes stay until they are purged. Idempotent.
    ///
    /// # Errors
    /// `NotFound`, `Contended`, `Unavailable`, `Unreadable`.
    #[tracing::instrument(skip_all, fields(attachment.id = %id))]
    pub async fn delete(&self, actor: UserId, id: AttachmentId) -> Result<(), AttachmentError> {
        retrying!(self.app, self.try_delete(actor, id), AttachmentError::Command(CommandError::Contended))
    }

    async fn try_delete(&self, actor: UserId, id: AttachmentId) -> Result<(), AttachmentError> {
        let file = self.load(id).await?;
        if let Some(event) = file.state.delete(actor)? {
            self.append(id, actor, file.version, event, Vec::new()).await?;
        }
        Ok(())
    }

    /// Removes the bytes of a deleted file, and then says so. Nothing for one that is not deleted.
    ///
    /// # Errors
    /// `Contended`, `Unavailable`, `Unreadable`.
    #[tracing::instrument(skip_all, fields(attachment.id = %id))]
    pub async fn purge(&self, owner: UserId, id: AttachmentId) -> Result<(), AttachmentError> {
        let file = self.load(id).await?;
        let Some(event) = file.state.purge() else { return Ok(()) };
        if let slipstream_domain::Attachment::Deleted(announced) = &file.state
            && let Some(key) = announced.blob()
        {
            self.store.delete(&key).await?;
        }
        Ok(self.append(id, owner, file.version, event, Vec::new()).await?)
    }
}
