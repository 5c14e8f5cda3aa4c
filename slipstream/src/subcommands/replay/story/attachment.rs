//! The events of a file in words.

use slipstream_domain::event::{AttachmentEvent, AttachmentRequested};
use uuid::Uuid;

use super::{ERASED, Told, word};

/// `file`: what it is, as [`announced`].
pub(super) fn told(event: &AttachmentEvent, id: Uuid, file: &str) -> Told {
    match event {
        AttachmentEvent::AttachmentRequested(_) => {
            Told::plain(format!("{file} is announced (attachment {id})"))
        }
        AttachmentEvent::UploadStarted(_) => {
            Told::plain(format!("the upload of {file} begins (attachment {id})"))
        }
        AttachmentEvent::AttachmentReady(_) => Told::plain(format!("{file} is there (attachment {id})")),
        AttachmentEvent::AttachmentFailed(failed) => {
            Told::plain(format!("{file} did not come: {} (attachment {id})", word(&failed.reason)))
        }
        AttachmentEvent::AttachmentLinked(linked) => {
            Told::plain(format!("{file} is attached to message {} (attachment {id})", linked.message_id))
        }
        AttachmentEvent::ProviderFileUploaded(uploaded) => {
            Told::plain(format!("{file} is given to {} (attachment {id})", uploaded.provider))
        }
        AttachmentEvent::AttachmentDeleted(_) => Told::plain(format!("{file} is deleted (attachment {id})")),
        AttachmentEvent::AttachmentPurged(_) => {
            Told::plain(format!("the bytes of {file} are removed (attachment {id})"))
        }
    }
}

/// What a file is, by its announcement.
pub(super) fn announced(event: &slipstream_domain::Event) -> Option<String> {
    let slipstream_domain::Event::Attachment(AttachmentEvent::AttachmentRequested(file)) = event else {
        return None;
    };
    let AttachmentRequested { mime, content, .. } = file;
    let name = content.open().map_or(ERASED, |content| content.filename.as_str());
    Some(format!("the file {name} ({mime})"))
}
