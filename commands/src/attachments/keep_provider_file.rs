//! A vendor has been given a file and keeps it for a while: noted, so that it is not given again.

use slipstream_domain::event::ProviderFileUploaded;
use slipstream_domain::{AttachmentId, UserId};

use super::{AttachmentError, Attachments};
use crate::CommandError;
use crate::retrying::retrying;

impl Attachments {
    /// Notes that a vendor keeps a file. Idempotent.
    ///
    /// # Errors
    /// `NotFound`, `NotUploaded`, `Contended`, `Erased`, `Unavailable`, `Unreadable`.
    #[tracing::instrument(skip_all, fields(attachment.id = %id))]
    pub async fn keep_provider_file(
        &self,
        owner: UserId,
        id: AttachmentId,
        kept: &ProviderFileUploaded,
    ) -> Result<(), AttachmentError> {
        retrying!(self.app, self.try_keep(owner, id, kept), AttachmentError::Command(CommandError::Contended))
    }

    async fn try_keep(
        &self,
        owner: UserId,
        id: AttachmentId,
        kept: &ProviderFileUploaded,
    ) -> Result<(), AttachmentError> {
        let file = self.load(id).await?;
        if let Some(event) = file.state.keep(owner, kept.clone())? {
            self.append(id, owner, file.version, event, Vec::new()).await?;
        }
        Ok(())
    }
}
