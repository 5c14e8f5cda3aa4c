//! The bytes of a file are on their way.

use slipstream_domain::attachment::Announced;
use slipstream_domain::{AttachmentId, UserId};

use super::{AttachmentError, Attachments};
use crate::CommandError;
use crate::retrying::retrying;

impl Attachments {
    /// Notes that an upload has begun. Idempotent, and no step back for a file that is there already.
    ///
    /// # Errors
    /// `NotFound`, `Failed`, `Contended`, `Unavailable`, `Unreadable`.
    #[tracing::instrument(skip_all, fields(attachment.id = %id))]
    pub async fn start_upload(&self, actor: UserId, id: AttachmentId) -> Result<Announced, AttachmentError> {
        retrying!(self.app, self.start(actor, id), AttachmentError::Command(CommandError::Contended))
    }

    async fn start(&self, actor: UserId, id: AttachmentId) -> Result<Announced, AttachmentError> {
        let file = self.load(id).await?;
        let announced = file.state.of(actor)?.clone();
        if let Some(event) = file.state.start(actor)? {
            self.append(id, actor, file.version, event, Vec::new()).await?;
        }
        Ok(announced)
    }
}
