//! The rules of Slipstream: typed ids, parsed values, events, and the aggregates that decide which events may happen.
//!
//! Pure by construction: no I/O, no clock, no randomness. Time and new ids come in as arguments, so the same history
//! and the same command always give the same events. Depends on no other crate of the workspace.

pub mod attachment;
pub mod conversation;
pub mod email_claim;
pub mod event;
pub mod generation;
pub mod ids;
pub mod run;
pub mod sealed;
pub mod user;
pub mod values;

pub use attachment::Attachment;
pub use conversation::{Conversation, OnBusy};
pub use email_claim::EmailClaim;
pub use event::{Category, Event, Meta};
pub use generation::{Ending, Generation, Request};
pub use ids::{
    AttachmentId, ConversationId, EmailId, GenerationId, KeyId, MessageId, SessionId, SignatureId, UserId,
    WorkerId,
};
pub use run::{Part, Run};
pub use sealed::Sealed;
pub use user::User;
pub use values::{
    AttachmentStatus, BatchId, BlobKey, Citation, Cost, DraftId, EmailAddress, Epoch, ErrorClass, FileName,
    FinishReason, GenerationKind, ImageDetails, KeySource, MaxTokens, MediaType, ModelId, Origin, Params,
    PictureSize, Prompt, ProviderId, Rating, RequestMetadata, Role, Seq, SystemPrompt, Temperature,
    TerminalStatus, Theme, Timestamp, Title, TitleSource, TokenUsage, TopP, UsageSource,
};
