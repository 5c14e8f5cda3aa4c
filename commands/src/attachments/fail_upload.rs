//! A file will not come.

use slipstream_domain::attachment::Announced;
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentId, UserId};

use super::{AttachmentError, Attachments};
use crate::CommandError;
use crate::retrying::retrying;

impl Attachments {
    /// Notes that a file will not come, and removes what there is of it. Changes nothing about one that has come.
    ///
    /// # Errors
    /// `NotFound`, `Contended`, `Unavailable`, `Unreadable`.
    #[tracing::instrument(skip_all, fields(attachment.id = %id))]
    pub async fn fail_upload(
        &self,
        actor: UserId,
        id: AttachmentId,
        reason: FailReason,
    ) -> Result<Announced, AttachmentError> {
        retrying!(self.app, self.fail(actor, id, reason), AttachmentError::Command(CommandError::Contended))
    }

    async fn fail(
        &self,
        actor: UserId,
        id: AttachmentId,
        reason: FailReason,
    ) -> Result<Announced, AttachmentError> {
        let file = self.load(id).await?;
        let announced = file.state.of(actor)?.clone();
        if let Some(event) = file.state.fail(actor, reason)? {
            self.append(id, actor, file.version, event, Vec::new()).await?;
            self.discard(&announced).await;
        }
        Ok(announced)
    }
}
