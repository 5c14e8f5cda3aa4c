//! A picture that a model has made: stored first, then recorded in one append as announced, ready and part of its reply, so
//! that its owner sees it whole or not at all.

use async_trait::async_trait;
use futures::StreamExt;
use slipstream_domain::attachment::Attachment;
use slipstream_domain::event::{AttachmentContent, AttachmentEvent, AttachmentRequested};
use slipstream_domain::{AttachmentId, BlobKey, FileName, MediaType, Meta, Origin, Sealed, Timestamp};
use slipstream_eventlog::{Append, Version};

use super::{AttachmentError, Attachments};
use crate::ports::{NewPicture, Pictures, PortError};
use crate::{CommandError, streams};

#[async_trait]
impl Pictures for Attachments {
    async fn keep(&self, picture: NewPicture) -> Result<AttachmentId, PortError> {
        let refused = |error: AttachmentError| PortError { port: "pictures", reason: error.to_string() };
        self.keep_picture(picture).await.map_err(refused)
    }
}

impl Attachments {
    #[tracing::instrument(skip_all, fields(conversation.id = %picture.conversation))]
    async fn keep_picture(&self, picture: NewPicture) -> Result<AttachmentId, AttachmentError> {
        let at = self.key_time();
        let (mime, filename, key) = self.place_of(&picture, at)?;
        let requested = AttachmentEvent::AttachmentRequested(AttachmentRequested {
            conversation_id: Some(picture.conversation),
            draft_id: None,
            batch_id: None,
            origin: Origin::Generated,
            mime: mime.clone(),
            size: Some(picture.bytes.len() as u64),
            bucket: key.bucket().to_owned(),
            content: Sealed::Open(AttachmentContent {
                filename,
                key: key.key().to_owned(),
                source_url: None,
            }),
        });
        let bytes = futures::stream::iter([Ok(picture.bytes.clone())]).boxed();
        self.store.put(&key, &mime, bytes).await?;

        let meta = Meta { owner: Some(picture.owner), at };
        let mut file = Attachment::default();
        file.evolve(&requested, meta);
        let found = self.find(file.of(picture.owner)?).await?;
        let checked = file.complete(picture.owner, found, self.settings.limits.pixels)?;
        let checked = checked.ok_or_else(|| CommandError::Inner("a new file was ready before".to_owned()))?;
        file.evolve(&checked, meta);
        if let Attachment::Failed(announced, reason) = &file {
            self.discard(announced).await;
            return Err(AttachmentError::Failed(*reason));
        }
        let linked = file.link(picture.owner, picture.message, picture.conversation)?;
        let id = AttachmentId::from_uuid(self.app.ids.uuid());
        let events = vec![requested, checked, linked];
        let streams = vec![streams::attachment(id, Some(picture.owner), Version::NONE, events)?];
        self.app
            .log
            .append(Append { streams, command_id: self.app.new_command(), guards: Vec::new() })
            .await?;
        Ok(id)
    }

    /// What it is called, and where it goes.
    fn place_of(
        &self,
        picture: &NewPicture,
        at: Timestamp,
    ) -> Result<(MediaType, FileName, BlobKey), CommandError> {
        let inner = |error: &dyn std::error::Error| CommandError::Inner(error.to_string());
        let mime = MediaType::parse(&picture.mime).map_err(|error| inner(&error))?;
        let extension = mime.as_str().rsplit('/').next().unwrap_or_default();
        let filename = FileName::parse(&format!("picture.{extension}")).map_err(|error| inner(&error))?;
        let key = Attachment::key(Origin::Generated, picture.owner, at, &filename);
        let key = BlobKey::parse(self.bucket(Origin::Generated), &key).map_err(|error| inner(&error))?;
        Ok((mime, filename, key))
    }
}
