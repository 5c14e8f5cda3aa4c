//! The frames of the wire protocol as types, and the one place where a client's text becomes one of them.
//!
//! Refuses to be lenient about what it knows (every wrong field is named, with what would be right) and strict about
//! what it does not (unknown fields are ignored). Field names are camelCase; what is absent is omitted, never `null`.

mod chat_request;
mod client;
mod error;
mod fields;
mod server;

pub use chat_request::{ChatFrame, ChatRequest, Given, Where};
pub use client::{CancelTarget, ClientFrame, NotOffered, NotOfferedKind};
pub use error::{ErrorCode, FrameError};
pub use server::{AssetError, ChatChunk, ChatError, ChatHead, ChatResponse, ErrorFrame, ServerFrame};
