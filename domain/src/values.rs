//! Parsed values. Text from outside becomes one of these at the edge, so that inside there are no raw strings and no
//! second checks. Every `parse` says in its error what would have been right.

mod catalogue_names;
mod numbers;
mod outcome;
mod text;
mod time;

pub use catalogue_names::{ModelId, ProviderId};
pub use numbers::{Epoch, MaxTokens, NumberError, Params, PictureSize, Seq, Temperature, TopP};
pub use outcome::{
    Citation, Cost, ErrorClass, FinishReason, GenerationKind, KeySource, Rating, Role, TerminalStatus, Theme,
    TitleSource, TokenUsage, UsageSource,
};
pub use text::{EmailAddress, Prompt, RequestMetadata, SystemPrompt, TextError, Title, clean_text};
pub use time::Timestamp;
