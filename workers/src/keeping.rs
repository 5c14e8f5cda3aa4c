//! A picture of an answer on its way to where pictures are kept. One at a time: the answer waits for it, and what else its
//! owner has to do does not.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use slipstream_commands::ports::{NewPicture, Pictures, PortError};
use slipstream_domain::{AttachmentId, ErrorClass, Request};

use crate::answer::Fault;

/// The one that is under way, if any.
pub(crate) struct Keeping {
    pictures: Option<Arc<dyn Pictures>>,
    under_way: Option<BoxFuture<'static, Result<AttachmentId, PortError>>>,
}

impl Keeping {
    pub(crate) fn new(pictures: Option<Arc<dyn Pictures>>) -> Self {
        Self { pictures, under_way: None }
    }

    /// Begins to keep a picture of the reply to `request`.
    ///
    /// # Errors
    /// There is no place for it; an answer without its picture would be another answer.
    pub(crate) fn start(&mut self, request: &Request, mime: String, bytes: Bytes) -> Result<(), Fault> {
        let Some((pictures, owner)) = self.pictures.clone().zip(request.owner) else {
            let message = "The model answered with a picture, and this server has no place to keep one.";
            return Err(Fault::new(ErrorClass::Internal, message));
        };
        let (conversation, message) = (request.asked.conversation_id, request.asked.message_id);
        let picture = NewPicture { owner, conversation, message, mime, bytes };
        self.under_way = Some(async move { pictures.keep(picture).await }.boxed());
        Ok(())
    }

    /// Whether another one may begin.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Waits for the picture under way; for ever when there is none. Cancel-safe.
    pub(crate) async fn done(&mut self) -> Result<AttachmentId, Fault> {
        let Some(keeping) = &mut self.under_way else { return std::future::pending().await };
        let kept = keeping.await;
        self.under_way = None;
        kept.map_err(|error| {
            tracing::warn!(%error, "a picture cannot be kept");
            Fault::new(ErrorClass::Internal, "The model's picture could not be kept. Please try again.")
        })
    }
}
