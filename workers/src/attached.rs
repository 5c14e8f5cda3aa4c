//! The files of a history, each in the form in which the vendor of the model that is asked takes it: with the request where
//! it is small enough, else by a URL, else given to the vendor before.

use bytes::Bytes;
use futures::TryStreamExt;
use slipstream_commands::{AttachmentError, Attachments, CommandError, ReadyFile};
use slipstream_domain::event::ProviderFileUploaded;
use slipstream_domain::{AttachmentId, ErrorClass, Timestamp, UserId};
use slipstream_providers::{ApiKey, Attachment, Intake, Model, Source};

use crate::answer::Fault;
use crate::prepare::Unprepared;
use crate::worker::Worker;

/// Who is shown the files of a message, and how much depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) owner: UserId,
    pub(crate) model: &'a Model,
    pub(crate) key: Option<&'a ApiKey>,
    /// Whether it is the message to answer: then every file must be shown. Of an earlier one, those are left out that are gone
    /// or that the model cannot read.
    pub(crate) asked: bool,
}

impl Worker {
    /// The files of one message.
    ///
    /// # Errors
    /// Of the message to answer, a file that the model cannot read or that cannot be had; the log does not answer.
    pub(crate) async fn attached(
        &self,
        files: &[AttachmentId],
        to: Shown<'_>,
    ) -> Result<Vec<Attachment>, Unprepared> {
        let mut attached = Vec::with_capacity(files.len());
        for id in files {
            match self.attachment(*id, to).await {
                Ok(file) => attached.push(file),
                Err(Unprepared::Fault(fault)) if !to.asked => {
                    tracing::debug!(attachment.id = %id, reason = fault.message, "a file is left out");
                }
                Err(unprepared) => return Err(unprepared),
            }
        }
        Ok(attached)
    }

    async fn attachment(&self, id: AttachmentId, to: Shown<'_>) -> Result<Attachment, Unprepared> {
        let Some(files) = &self.files else { return Err(Fault::internal().into()) };
        let file = files.ready_file(to.owner, id).await.map_err(unavailable)?;
        let (mime, size) = (file.ready.mime.as_str().to_owned(), file.ready.size);
        let filename = file.announced.content().map(|content| content.filename.as_str().to_owned());
        let attachment = Attachment { mime, filename, size, source: Source::Inline(Bytes::new()) };
        attachment.kind_for(to.model).map_err(|unreadable| invalid(&unreadable))?;
        let intake = self.providers.intake(to.model, &attachment.mime).map_err(|error| invalid(&error))?;
        let source = self.source(files, &file, &attachment, intake, to).await?;
        Ok(Attachment { source, ..attachment })
    }

    async fn source(
        &self,
        files: &Attachments,
        file: &ReadyFile,
        attachment: &Attachment,
        intake: Intake,
        to: Shown<'_>,
    ) -> Result<Source, Unprepared> {
        if intake.inline.is_some_and(|most| attachment.size <= most) {
            return Ok(Source::Inline(content(files, file).await?));
        }
        if intake.url {
            return Ok(Source::Url(files.download(file).await.map_err(unavailable)?.url));
        }
        if intake.upload {
            return Ok(Source::Uploaded(self.uploaded(files, file, attachment, to).await?));
        }
        let name = attachment.filename.as_deref().unwrap_or("The file");
        let message = format!("{name} is too large for {}.", to.model.name);
        Err(Fault::new(ErrorClass::InvalidRequest, message).into())
    }

    /// What the vendor calls a file that it keeps; given to it now unless it was before and it keeps it still.
    async fn uploaded(
        &self,
        files: &Attachments,
        file: &ReadyFile,
        attachment: &Attachment,
        to: Shown<'_>,
    ) -> Result<String, Unprepared> {
        let (provider, now) = (&to.model.provider, self.app.now());
        // Whoever is reached without a key keeps files for everybody.
        let key_fingerprint = to.key.map(ApiKey::fingerprint).unwrap_or_default();
        if let Some(kept) = file.kept_by.iter().find(|kept| kept.serves(provider, &key_fingerprint, now)) {
            return Ok(kept.reference.clone());
        }
        let whole = Attachment { source: Source::Inline(content(files, file).await?), ..attachment.clone() };
        let uploaded = self.providers.upload(provider, to.key, &whole).await.map_err(Fault::from)?;
        let kept_for = i64::try_from(uploaded.kept_for.as_micros()).unwrap_or(i64::MAX);
        let kept = ProviderFileUploaded {
            provider: provider.clone(),
            key_fingerprint,
            reference: uploaded.name,
            expires_at: Timestamp::from_micros(now.micros().saturating_add(kept_for)),
        };
        if let Err(error) = files.keep_provider_file(to.owner, file.id, &kept).await {
            // It is given once more the next time.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "it is not noted that a vendor keeps a file"
            );
        }
        Ok(kept.reference)
    }
}

/// All bytes of a file.
async fn content(files: &Attachments, file: &ReadyFile) -> Result<Bytes, Unprepared> {
    let blob = file.blob()?;
    let read = files.store().get(&blob, None).await.map_err(|error| unreadable(&error))?;
    let capacity = usize::try_from(file.ready.size).unwrap_or_default();
    let collected = read.bytes.try_fold(Vec::with_capacity(capacity), async |mut all, piece: Bytes| {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    Ok(collected.await.map_err(|error| unreadable(&error))?.into())
}

fn invalid(unreadable: &dyn std::fmt::Display) -> Fault {
    Fault::new(ErrorClass::InvalidRequest, format!("{unreadable}. Ask another model, or without the file."))
}

fn unavailable(error: AttachmentError) -> Unprepared {
    match error {
        AttachmentError::Command(error @ (CommandError::Unavailable(_) | CommandError::Contended)) => {
            Unprepared::Log(error)
        }
        error @ (AttachmentError::Command(_)
        | AttachmentError::NotFound
        | AttachmentError::NotUploaded
        | AttachmentError::Failed(_)
        | AttachmentError::Limit(_)
        | AttachmentError::Fetch(_)) => unreadable(&error).into(),
    }
}

/// A store that does not answer ends the reply: its user sees why, and can ask again.
fn unreadable(error: &(dyn std::error::Error + 'static)) -> Fault {
    tracing::warn!(error, "a file cannot be read");
    Fault::new(
        ErrorClass::Internal,
        "A file of the conversation cannot be read at the moment. Please try again.",
    )
}
