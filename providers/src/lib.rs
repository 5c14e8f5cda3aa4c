//! How each AI vendor is spoken to: one adapter a vendor, each turning a [`ChatRequest`] into a stream of [`Delta`]s.
//!
//! Owns the vendors' wire formats, time-outs, retries, the circuit breaker and the model catalogue. Refuses to know
//! conversations, events, queues or clients: the caller brings a finished request and records what comes back.

mod anthropic;
mod attachment;
mod base_url;
mod body;
mod breaker;
mod call;
mod catalogue;
mod chat_completions;
mod decode;
mod delta;
mod error;
mod exchange;
mod fault;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gemini;
mod grok;
mod history;
mod http;
mod images;
mod key;
mod key_check;
mod meta;
mod meters;
mod openai;
mod provider;
mod redact;
mod registry;
mod request;
mod responses;
mod retry;
pub mod simulated;
mod sse;
mod title;
mod usage;

pub use attachment::{Attachment, FileKind, Intake, Source, Unreadable};
pub use base_url::BaseUrlError;
pub use breaker::BreakerPolicy;
pub use call::{Attempts, Call};
pub use catalogue::{
    Capability, Catalogue, CatalogueError, Instead, LongPrice, Model, Price, ThinkingControl, UnknownModel,
    Vendor,
};
pub use delta::{Delta, DeltaStream, Tool, ToolState};
pub use error::ProviderError;
pub use history::{estimate_tokens, fit};
pub use http::{HttpSettings, Traceparent};
pub use key::{ApiKey, KeyError, KeyOwner};
pub use meters::describe_metrics;
pub use provider::{Provider, UploadedFile, Uploading};
pub use registry::{Providers, Settings, SettingsError};
pub use request::{ChatRequest, SignedThinking, Turn, UserLocation};
pub use retry::{Jitter, RetryPolicy};
pub use title::{title_of, title_request};
pub use usage::sum_usage;
