//! What an answer is made of.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use slipstream_domain::{Citation, FinishReason, TokenUsage};
use tokio_util::sync::CancellationToken;

use crate::ProviderError;

/// One step of an answer, in the order the vendor sent it.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// More of the answer. Never empty, never holds U+0000.
    Text(String),
    /// More of the model's reasoning. Never empty, never holds U+0000.
    Thinking(String),
    /// A vendor's proof of the reasoning before it, to be sent back unchanged with that reasoning.
    ThinkingSignature(String),
    /// A whole picture.
    Image {
        /// Such as `image/png`.
        mime: String,
        /// The file.
        bytes: Bytes,
    },
    /// A source. The same one may come more than once.
    Citation(Citation),
    /// What a tool of the vendor's is doing.
    ToolStatus {
        /// Which tool.
        tool: Tool,
        /// How far it is.
        state: ToolState,
    },
    /// Tokens so far. Cumulative: each one replaces those before it.
    Usage(TokenUsage),
    /// The end, and why. Nothing follows.
    Finish {
        /// In the vendor's meaning; only `Stop` is a whole answer.
        reason: FinishReason,
    },
}

/// A tool the vendor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Searching the web.
    WebSearch,
    /// Making a picture.
    ImageGeneration,
}

/// How far a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolState {
    /// Called.
    Started,
    /// At work.
    Running,
    /// Done.
    Completed,
}

/// The answer as it comes. Its last item is [`Delta::Finish`] or an error; it ends without either only when cancelled.
///
/// Lazy: nothing is sent before the first poll. Dropping it closes the connection to the vendor.
pub type DeltaStream = BoxStream<'static, Result<Delta, ProviderError>>;

/// `deltas` until `cancel` fires; then it is dropped (which closes its connection) and the stream ends.
pub(crate) fn until_cancelled(deltas: DeltaStream, cancel: CancellationToken) -> DeltaStream {
    stream::unfold((deltas, cancel), |(mut deltas, cancel)| async move {
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            item = deltas.next() => item.map(|item| (item, (deltas, cancel))),
        }
    })
    .boxed()
}
