//! A file whose bytes come through this server: announced, stored and checked in one go.

use slipstream_domain::attachment::{LimitRejection, Usage};
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentId, BlobKey};

use super::{Announce, AttachmentError, Attachments, ReadyFile};
use crate::ports::{BlobError, ByteStream, WrongLength, at_most, exactly};

impl Attachments {
    /// Stores a file of exactly as many bytes as were announced. When they break off, it fails for `reason`.
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
        let file = self.announce(announce, usage).await?;
        self.receive(file, announce, bytes, reason).await
    }

    /// Stores the bytes of an announced file: exactly as many as were announced, or, when nobody could say, as many as files
    /// of its type may have. When they break off, it fails for `reason`.
    pub(super) async fn receive(
        &self,
        (id, key): (AttachmentId, BlobKey),
        announce: &Announce,
        bytes: ByteStream,
        reason: FailReason,
    ) -> Result<ReadyFile, AttachmentError> {
        let max = self.settings.limits.largest(&announce.mime)?;
        self.start_upload(announce.actor, id).await?;
        let bytes = match announce.size {
            Some(size) => exactly(size, bytes),
            None => at_most(max, bytes),
        };
        let stored = self.store.put(&key, &announce.mime, bytes).await;
        let Err(error) = stored else {
            let completed = self.complete_upload(announce.actor, id).await;
            if let Err(AttachmentError::NotFound | AttachmentError::Failed(_)) = &completed {
                // Aborted or deleted meanwhile, when there were no bytes to remove yet.
                self.discard_blob(&key).await;
            }
            return completed;
        };
        self.fail_upload(announce.actor, id, reason).await?;
        let BlobError::Source(cause) = &error else { return Err(error.into()) };
        tracing::info!(error = %cause, "the bytes of a file broke off");
        let wrong_length = cause.get_ref().and_then(|cause| cause.downcast_ref::<WrongLength>());
        Err(match wrong_length {
            Some(wrong) if wrong.seen > wrong.most && announce.size.is_none() => {
                LimitRejection::TooLarge { mime: announce.mime.clone(), size: wrong.seen, max }.into()
            }
            Some(_) | None => AttachmentError::Failed(reason),
        })
    }
}
