//! Parsed values. Text from outside becomes one of these at the edge, so that inside there are no raw strings and no
//! second checks. Every `parse` says in its error what would have been right.

mod attachment;
mod blob_key;
mod catalogue_names;
mod key_fingerprint;
mod media_type;
mod numbers;
mod outcome;
mod text;
mod time;

pub use attachment::{AttachmentStatus, BatchId, DraftId, FileName, ImageDetails, Origin};
pub use blob_key::BlobKey;
pub use catalogue_names::{ModelId, ProviderId};
pub use key_fingerprint::key_fingerprint;
pub use media_type::MediaType;
pub use numbers::{Epoch, MaxTokens, NumberError, Params, PictureSize, Seq, Temperature, TopP};
pub use outcome::{
    Citation, Cost, ErrorClass, FinishReason, GenerationKind, KeySource, Rating, Role, TerminalStatus, Theme,
    TitleSource, TokenUsage, UsageSource,
};
pub use text::{EmailAddress, Prompt, RequestMetadata, SystemPrompt, TextError, Title, clean_text};
pub use time::Timestamp;
