//! How each AI vendor is spoken to: one adapter a vendor, each turning a [`ChatRequest`] into a stream of [`Delta`]s.
//!
//! Owns the vendors' wire formats, time-outs, retries, the circuit breaker and the model catalogue. Refuses to know
//! conversations, events, queues or clients: the caller brings a finished request and records what comes back.

mod base_url;
mod breaker;
mod call;
mod catalogue;
mod decode;
mod delta;
mod error;
mod history;
mod http;
mod key;
mod meters;
mod openai;
mod redact;
mod registry;
mod request;
mod retry;
pub mod simulated;
mod sse;

pub use base_url::BaseUrlError;
pub use breaker::BreakerPolicy;
pub use call::{Attempts, Call};
pub use catalogue::{Capability, Catalogue, CatalogueError, Instead, Model, Price, UnknownModel, Vendor};
pub use delta::{Delta, DeltaStream, Provider, Tool, ToolState};
pub use error::ProviderError;
pub use history::{estimate_tokens, fit};
pub use http::{HttpSettings, Traceparent};
pub use key::{ApiKey, KeyError, KeyOwner};
pub use meters::describe_metrics;
pub use registry::{Providers, Settings, SettingsError};
pub use request::{ChatRequest, Turn, UserLocation};
pub use retry::{Jitter, RetryPolicy};
