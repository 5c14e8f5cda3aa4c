//! Why something could not be done about a file.

use slipstream_domain::attachment::{AttachmentRejection, LimitRejection};
use slipstream_domain::event::FailReason;
use slipstream_eventlog::AppendError;

use crate::CommandError;
use crate::ports::{BlobError, FetchError};

/// Why something could not be done about a file.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// There is none, it is another user's, or it is gone.
    #[error("no such attachment")]
    NotFound,
    /// Files like this are not taken.
    #[error(transparent)]
    Limit(#[from] LimitRejection),
    /// Its bytes have not come yet.
    #[error("nothing has been uploaded yet")]
    NotUploaded,
    /// It will never be ready.
    #[error("{}", told(*.0))]
    Failed(FailReason),
    /// It cannot be had from where it is.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Everything else that keeps a use case from being carried out.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// What a person is told of it.
fn told(reason: FailReason) -> &'static str {
    match reason {
        FailReason::SizeMismatch => "the file does not have the size that was announced",
        FailReason::TypeMismatch => "the file was stored as another type than was announced",
        FailReason::ContentMismatch => "the file is not of the type that was announced",
        FailReason::UnreadableImage => "the picture cannot be read, or has too many pixels",
        FailReason::Aborted => "the upload was aborted",
        FailReason::ClientError => "the upload failed",
        FailReason::FetchFailed => "the file could not be fetched",
        FailReason::Expired => "the file did not come in time",
    }
}

impl From<AttachmentRejection> for AttachmentError {
    fn from(rejection: AttachmentRejection) -> Self {
        match rejection {
            AttachmentRejection::NotFound => Self::NotFound,
            AttachmentRejection::Failed(reason) => Self::Failed(reason),
            AttachmentRejection::NotFree => Self::NotUploaded,
        }
    }
}

impl From<BlobError> for AttachmentError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::NotUploaded,
            BlobError::Unavailable(cause) => Self::Command(cause.into()),
            BlobError::OutOfRange { .. } | BlobError::Source(_) => {
                Self::Command(CommandError::Unavailable(Box::new(error)))
            }
        }
    }
}

impl From<AppendError> for AttachmentError {
    fn from(error: AppendError) -> Self {
        Self::Command(error.into())
    }
}
