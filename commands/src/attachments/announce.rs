//! A user wants to store a file: announced, and told how to upload it.

use slipstream_domain::attachment::{Attachment, Usage};
use slipstream_domain::event::{AttachmentContent, AttachmentEvent, AttachmentRequested};
use slipstream_domain::{
    AttachmentId, BatchId, BlobKey, ConversationId, DraftId, FileName, MediaType, Origin, Sealed, UserId,
};
use slipstream_eventlog::Version;

use super::{AttachmentError, Attachments};
use crate::CommandError;
use crate::ports::UploadInstructions;
use crate::post_message::registered;

/// A file to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// Whose it will be.
    pub actor: UserId,
    /// Where its client is, as it says.
    pub conversation_id: Option<ConversationId>,
    /// Its client's name for it.
    pub draft_id: Option<DraftId>,
    /// Its client's name for it and those beside it.
    pub batch_id: Option<BatchId>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is called.
    pub filename: FileName,
    /// What it is said to be.
    pub mime: MediaType,
    /// How many bytes it is said to have, if anybody could say.
    pub size: Option<u64>,
    /// Where it is fetched from.
    pub source_url: Option<String>,
}

/// How a file is uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructed {
    /// Which.
    pub id: AttachmentId,
    /// Where it goes.
    pub key: BlobKey,
    /// How.
    pub instructions: UploadInstructions,
}

impl Attachments {
    /// Announces a file that its client uploads itself. `usage` is what the user has, as the caller has read it.
    ///
    /// # Errors
    /// `Limit`; `NotFound` for an unknown user; `Contended`, `Erased`, `Unavailable`.
    #[tracing::instrument(skip_all)]
    pub async fn announce_upload(
        &self,
        announce: &Announce,
        usage: Usage,
    ) -> Result<Instructed, AttachmentError> {
        let (id, key) = self.announce(announce, usage).await?;
        let (mime, size) = (&announce.mime, announce.size.unwrap_or_default());
        let instructions = self.store.sign_upload(&key, mime, size, self.settings.upload_for).await?;
        Ok(Instructed { id, key, instructions })
    }

    /// Announces a file.
    pub(super) async fn announce(
        &self,
        announce: &Announce,
        usage: Usage,
    ) -> Result<(AttachmentId, BlobKey), AttachmentError> {
        let Announce { actor, origin, ref filename, ref mime, size, .. } = *announce;
        self.settings.limits.check(mime, size, usage)?;
        let user = registered(&self.app, actor).await?;
        let id = AttachmentId::from_uuid(self.app.ids.uuid());
        let key = Attachment::key(origin, actor, self.key_time(), filename);
        let key = BlobKey::parse(self.bucket(origin), &key)
            .map_err(|error| CommandError::Inner(error.to_string()))?;
        let content = AttachmentContent {
            filename: filename.clone(),
            key: key.key().to_owned(),
            source_url: announce.source_url.clone(),
        };
        let requested = AttachmentEvent::AttachmentRequested(AttachmentRequested {
            conversation_id: announce.conversation_id,
            draft_id: announce.draft_id.clone(),
            batch_id: announce.batch_id.clone(),
            origin,
            mime: mime.clone(),
            size,
            bucket: key.bucket().to_owned(),
            content: Sealed::Open(content),
        });
        self.append(id, actor, Version::NONE, requested, vec![user]).await?;
        Ok((id, key))
    }
}
