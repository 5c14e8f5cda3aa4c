//! A file whose bytes come through this server: announced, stored and checked in one go.

use slipstream_domain::attachment::Usage;
use slipstream_domain::event::FailReason;

use super::{Announce, AttachmentError, Attachments, ReadyFile};
use crate::ports::{BlobError, ByteStream, at_most, exactly};

impl Attachments {
    /// Stores a file: exactly as many bytes as were announced, or, when nobody could say, as many as files of its type may
    /// have. When they break off, it fails for `reason`.
    ///
    /// # Errors
    /// `Limit`, `Failed`; `NotFound` for an unknown user; `Contended`, `Erased`, `Unavailable`.
    #[tracing::instrument(skip_all)]
    pub async fn store_file(
        &self,
        announce: &Announce,
        usage: Usage,
        bytes: ByteStream,
        reason: FailReason,
    ) -> Result<ReadyFile, AttachmentError> {
        let largest = self.settings.limits.largest(&announce.mime)?;
        let (id, key) = self.announce(announce, usage).await?;
        self.start_upload(announce.actor, id).await?;
        let bytes = match announce.size {
            Some(size) => exactly(size, bytes),
            None => at_most(largest, bytes),
        };
        match self.store.put(&key, &announce.mime, bytes).await {
            Ok(_) => self.complete_upload(announce.actor, id).await,
            Err(error) => {
                self.fail_upload(announce.actor, id, reason).await?;
                match error {
                    BlobError::Source(cause) => {
                        tracing::info!(error = %cause, "the bytes of a file broke off");
                        Err(AttachmentError::Failed(reason))
                    }
                    BlobError::NotFound | BlobError::OutOfRange { .. } | BlobError::Unavailable(_) => {
                        Err(error.into())
                    }
                }
            }
        }
    }
}
