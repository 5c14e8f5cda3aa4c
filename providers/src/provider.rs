//! What every adapter is.

use std::time::Duration;

use futures::future::BoxFuture;
use slipstream_domain::{ErrorClass, ProviderId};
use tokio_util::sync::CancellationToken;

use crate::attachment::{FileKind, Intake};
use crate::{ApiKey, Attachment, ChatRequest, DeltaStream, Model, ProviderError};

/// A vendor, or something that stands in for one.
pub trait Provider: Send + Sync {
    /// Its id on the wire.
    fn id(&self) -> &ProviderId;

    /// Asks once: one answer, no retry. When `cancel` fires, the connection is closed and the stream ends at once without
    /// an item.
    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream;

    /// Asks once for a conversation's title, with a request made by [`crate::title_request`].
    fn title(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        self.stream(request, cancel)
    }

    /// Whether the thinking of the model's earlier answers goes back to it ([`crate::Turn::Assistant`]).
    fn takes_thinking(&self, _model: &Model) -> bool {
        false
    }

    /// In which forms it takes a file of a kind that the model asked can read.
    fn intake(&self, _kind: FileKind) -> Intake {
        Intake::inline(u64::MAX)
    }

    /// Gives it a file to keep for a while, where [`Intake::upload`] says that it takes one so. Cancel-safe: dropping it
    /// gives up.
    fn upload<'a>(&'a self, _key: Option<&'a ApiKey>, _file: &'a Attachment) -> Uploading<'a> {
        let message = format!("{} keeps no files", self.id());
        Box::pin(std::future::ready(Err(ProviderError::new(ErrorClass::InvalidRequest, &message))))
    }
}

/// An upload under way.
pub type Uploading<'a> = BoxFuture<'a, Result<UploadedFile, ProviderError>>;

/// A file that a vendor keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// For [`crate::Source::Uploaded`].
    pub name: String,
    /// How long it may be used from now on, by the same key only.
    pub kept_for: Duration,
}
