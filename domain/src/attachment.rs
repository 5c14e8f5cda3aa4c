//! One file: announced, uploaded or fetched, checked, linked to a message, deleted. Knows what was said of it and what is
//! found of it; the bytes are elsewhere.

mod limits;
#[cfg(test)]
mod tests;

pub use limits::{FileClass, Found, LimitRejection, Limits, Sniffed, Usage};

use crate::event::{
    AttachmentContent, AttachmentDeleted, AttachmentEvent, AttachmentFailed, AttachmentLinked,
    AttachmentPurged, AttachmentReady, AttachmentRequested, FailReason, Meta, ProviderFileUploaded,
    UploadStarted,
};
use crate::ids::{ConversationId, MessageId, UserId};
use crate::values::{AttachmentStatus, BlobKey, FileName, Origin, ProviderId, Timestamp};

/// The state of a file's stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Attachment {
    /// No file with this id.
    #[default]
    Unknown,
    /// Announced, perhaps on its way.
    Open(Announced, Progress),
    /// Stored and checked.
    Ready(Announced, Box<Stored>),
    /// Will never be ready.
    Failed(Announced, FailReason),
    /// Gone for its owner; its bytes may still be there.
    Deleted(Announced),
    /// Gone.
    Purged,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// What was found in it.
    pub ready: AttachmentReady,
    /// The message it belongs to.
    pub linked: Option<AttachmentLinked>,
    /// The vendors that keep it, or have kept it: the newest word of each with each key.
    pub kept_by: Vec<ProviderFileUploaded>,
}

/// What was said of a file when it was announced.
#[derive(Debug, Clone, PartialEq)]
pub struct Announced {
    /// Whose it is.
    pub owner: Option<UserId>,
    /// What was said.
    pub asked: AttachmentRequested,
    /// When.
    pub at: Timestamp,
}

/// How far an announced file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// No further.
    Requested,
    /// Its bytes are on their way.
    Uploading,
}

/// Why something cannot be done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentRejection {
    /// There is none, it is another user's, or it is gone.
    #[error("no such attachment")]
    NotFound,
    /// It has failed.
    #[error("the upload has failed before; begin a new one")]
    Failed(FailReason),
    /// It is not stored and checked, or belongs to another message.
    #[error("the attachment is not ready, or belongs to another message")]
    NotFree,
}

impl ProviderFileUploaded {
    /// Whether the vendor keeps it at this time for who has this key.
    #[must_use]
    pub fn serves(&self, provider: &ProviderId, key_fingerprint: &str, at: Timestamp) -> bool {
        self.is_by(provider, key_fingerprint) && at < self.expires_at
    }

    fn is_by(&self, provider: &ProviderId, key_fingerprint: &str) -> bool {
        self.provider == *provider && self.key_fingerprint == key_fingerprint
    }
}

impl Announced {
    /// What it is called and where it is; `None` when that is erased.
    #[must_use]
    pub fn content(&self) -> Option<&AttachmentContent> {
        self.asked.content.open()
    }

    /// Where its bytes are; `None` when that is erased.
    #[must_use]
    pub fn blob(&self) -> Option<BlobKey> {
        BlobKey::parse(&self.asked.bucket, &self.content()?.key).ok()
    }
}

impl Attachment {
    /// The key of a file that its owner names so, at a moment that tells it from others of the same name:
    /// `<origin>/<user>/<milliseconds>-<name>`.
    #[must_use]
    pub fn key(origin: Origin, owner: UserId, at: Timestamp, name: &FileName) -> String {
        format!("{}/{owner}/{}-{}", origin.as_str().to_lowercase(), at.millis(), name.in_key())
    }

    /// What was said of it, for its owner alone.
    ///
    /// # Errors
    /// `NotFound` for everybody else, and when it is gone.
    pub fn of(&self, actor: UserId) -> Result<&Announced, AttachmentRejection> {
        match self {
            Self::Open(announced, _) | Self::Ready(announced, ..) | Self::Failed(announced, _) => {
                let own = announced.owner == Some(actor);
                own.then_some(announced).ok_or(AttachmentRejection::NotFound)
            }
            Self::Unknown | Self::Deleted(_) | Self::Purged => Err(AttachmentRejection::NotFound),
        }
    }

    /// Whether it may still become ready.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(..))
    }

    /// How far it has come; `None` when there is none any more.
    #[must_use]
    pub fn status(&self) -> Option<AttachmentStatus> {
        Some(match self {
            Self::Open(_, Progress::Requested) => AttachmentStatus::Requested,
            Self::Open(_, Progress::Uploading) => AttachmentStatus::Uploading,
            Self::Ready(_, stored) if stored.linked.is_none() => AttachmentStatus::Ready,
            Self::Ready(..) => AttachmentStatus::Attached,
            Self::Failed(..) => AttachmentStatus::Failed,
            Self::Deleted(_) => AttachmentStatus::Deleted,
            Self::Unknown | Self::Purged => return None,
        })
    }

    /// The event that its bytes are on their way; `None` when that is known, or past.
    ///
    /// # Errors
    /// `NotFound`, `Failed`.
    pub fn start(&self, actor: UserId) -> Result<Option<AttachmentEvent>, AttachmentRejection> {
        self.of(actor)?;
        match self {
            Self::Open(_, Progress::Requested) => Ok(Some(AttachmentEvent::UploadStarted(UploadStarted {}))),
            Self::Failed(_, reason) => Err(AttachmentRejection::Failed(*reason)),
            Self::Open(_, Progress::Uploading)
            | Self::Ready(..)
            | Self::Unknown
            | Self::Deleted(_)
            | Self::Purged => Ok(None),
        }
    }

    /// The event that what was found is what was said, a picture within `pixels`, or why it will never be ready; `None`
    /// when it is already.
    ///
    /// # Errors
    /// `NotFound`, `Failed`.
    pub fn complete(
        &self,
        actor: UserId,
        found: Found,
        pixels: u64,
    ) -> Result<Option<AttachmentEvent>, AttachmentRejection> {
        let announced = self.of(actor)?;
        match self {
            Self::Open(..) => Ok(Some(match found.check(&announced.asked, pixels) {
                Ok(ready) => AttachmentEvent::AttachmentReady(ready),
                Err(reason) => AttachmentEvent::AttachmentFailed(AttachmentFailed { reason }),
            })),
            Self::Failed(_, reason) => Err(AttachmentRejection::Failed(*reason)),
            Self::Ready(..) | Self::Unknown | Self::Deleted(_) | Self::Purged => Ok(None),
        }
    }

    /// The event that it will never be ready; `None` when it has come to an end already.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn fail(
        &self,
        actor: UserId,
        reason: FailReason,
    ) -> Result<Option<AttachmentEvent>, AttachmentRejection> {
        self.of(actor)?;
        Ok(self.is_open().then_some(AttachmentEvent::AttachmentFailed(AttachmentFailed { reason })))
    }

    /// The event that it belongs to a message now.
    ///
    /// # Errors
    /// `NotFound`, `NotFree`.
    pub fn link(
        &self,
        actor: UserId,
        message_id: MessageId,
        conversation_id: ConversationId,
    ) -> Result<AttachmentEvent, AttachmentRejection> {
        self.of(actor)?;
        let free = matches!(self, Self::Ready(_, stored) if stored.linked.is_none());
        let linked = AttachmentLinked { message_id, conversation_id };
        free.then_some(AttachmentEvent::AttachmentLinked(linked)).ok_or(AttachmentRejection::NotFree)
    }

    /// The event that a vendor keeps it; `None` when that is known.
    ///
    /// # Errors
    /// `NotFound`, `NotFree` while it is not ready.
    pub fn keep(
        &self,
        actor: UserId,
        kept: ProviderFileUploaded,
    ) -> Result<Option<AttachmentEvent>, AttachmentRejection> {
        self.of(actor)?;
        let Self::Ready(_, stored) = self else { return Err(AttachmentRejection::NotFree) };
        let known = stored.kept_by.contains(&kept);
        Ok((!known).then_some(AttachmentEvent::ProviderFileUploaded(kept)))
    }

    /// The event that it is gone for its owner; `None` when it is already.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete(&self, actor: UserId) -> Result<Option<AttachmentEvent>, AttachmentRejection> {
        if let Self::Deleted(announced) = self {
            return if announced.owner == Some(actor) {
                Ok(None)
            } else {
                Err(AttachmentRejection::NotFound)
            };
        }
        self.of(actor)?;
        Ok(Some(AttachmentEvent::AttachmentDeleted(AttachmentDeleted {})))
    }

    /// The event that the bytes of a deleted file are gone; `None` when there is nothing to be gone.
    #[must_use]
    pub fn purge(&self) -> Option<AttachmentEvent> {
        matches!(self, Self::Deleted(_)).then_some(AttachmentEvent::AttachmentPurged(AttachmentPurged {}))
    }

    /// Takes an event of this stream in.
    pub fn evolve(&mut self, event: &AttachmentEvent, meta: Meta) {
        let before = std::mem::take(self);
        *self = match (event, before) {
            (AttachmentEvent::AttachmentRequested(asked), _) => {
                let announced = Announced { owner: meta.owner, asked: asked.clone(), at: meta.at };
                Self::Open(announced, Progress::Requested)
            }
            (AttachmentEvent::UploadStarted(_), Self::Open(announced, _)) => {
                Self::Open(announced, Progress::Uploading)
            }
            (AttachmentEvent::AttachmentReady(ready), Self::Open(announced, _)) => {
                let stored = Stored { ready: ready.clone(), linked: None, kept_by: Vec::new() };
                Self::Ready(announced, Box::new(stored))
            }
            (AttachmentEvent::AttachmentFailed(failed), Self::Open(announced, _)) => {
                Self::Failed(announced, failed.reason)
            }
            (AttachmentEvent::AttachmentLinked(linked), Self::Ready(announced, mut stored)) => {
                stored.linked = Some(*linked);
                Self::Ready(announced, stored)
            }
            (AttachmentEvent::ProviderFileUploaded(kept), Self::Ready(announced, mut stored)) => {
                stored.kept_by.retain(|before| !before.is_by(&kept.provider, &kept.key_fingerprint));
                stored.kept_by.push(kept.clone());
                Self::Ready(announced, stored)
            }
            (
                AttachmentEvent::AttachmentDeleted(_),
                Self::Open(announced, _) | Self::Ready(announced, ..) | Self::Failed(announced, _),
            ) => Self::Deleted(announced),
            (AttachmentEvent::AttachmentPurged(_), _) => Self::Purged,
            (
                AttachmentEvent::UploadStarted(_)
                | AttachmentEvent::AttachmentReady(_)
                | AttachmentEvent::AttachmentFailed(_)
                | AttachmentEvent::AttachmentLinked(_)
                | AttachmentEvent::ProviderFileUploaded(_)
                | AttachmentEvent::AttachmentDeleted(_),
                before,
            ) => before,
        };
    }
}
