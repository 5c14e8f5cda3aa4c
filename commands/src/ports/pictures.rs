//! Where the pictures are kept that models make.

use async_trait::async_trait;
use bytes::Bytes;
use slipstream_domain::{AttachmentId, ConversationId, MessageId, UserId};

use super::PortError;

/// A picture that a model has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPicture {
    /// Whose it is.
    pub owner: UserId,
    /// Where it was made.
    pub conversation: ConversationId,
    /// The reply it belongs to.
    pub message: MessageId,
    /// Such as `image/png`, as the vendor says.
    pub mime: String,
    /// The file.
    pub bytes: Bytes,
}

/// Keeps pictures.
///
/// Laws: a picture whose id was answered is there whole, is its owner's and belongs to its reply. Of one that was not, or
/// whose keeping was given up, its owner sees nothing.
#[async_trait]
pub trait Pictures: Send + Sync {
    /// Keeps one. Cancel-safe: dropping it gives up.
    async fn keep(&self, picture: NewPicture) -> Result<AttachmentId, PortError>;
}
