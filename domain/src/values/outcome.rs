//! How a generation is paid for, and how it ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::KeyId;

/// How a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TerminalStatus {
    /// The provider finished.
    Completed,
    /// The user stopped it.
    Cancelled,
    /// Its owner was lost after output had been shown; the partial text is kept.
    Interrupted,
    /// It could not be answered.
    Failed,
}

impl TerminalStatus {
    /// The word on the wire and in read models.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// Why the model stopped, in the vendor's meaning. Only `Stop` is a full success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
pub enum FinishReason {
    /// The answer is whole.
    Stop,
    /// The output limit was reached.
    Length,
    /// The vendor's filter cut it.
    ContentFilter,
    /// The model refused.
    Refusal,
    /// The model asked for a tool.
    ToolUse,
    /// The model paused a long turn.
    Pause,
    /// Any other word of a vendor.
    Other(String),
}

impl FinishReason {
    /// The word on the wire and in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::ToolUse => "tool_use",
            Self::Pause => "pause",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for FinishReason {
    fn from(word: String) -> Self {
        match word.as_str() {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "content_filter" => Self::ContentFilter,
            "refusal" => Self::Refusal,
            "tool_use" => Self::ToolUse,
            "pause" => Self::Pause,
            _ => Self::Other(word),
        }
    }
}

impl From<FinishReason> for String {
    fn from(reason: FinishReason) -> Self {
        reason.as_str().to_owned()
    }
}

/// What went wrong at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The key is wrong or missing.
    Auth,
    /// The account has no money or quota left; never retried.
    Quota,
    /// Too many requests.
    RateLimited,
    /// The vendor is overloaded or broken (5xx).
    Overloaded,
    /// The request is wrong.
    InvalidRequest,
    /// The vendor's filter refused it.
    ContentFiltered,
    /// Nothing came in time.
    Timeout,
    /// The connection failed.
    Network,
    /// The vendor said something that cannot be understood.
    Protocol,
    /// The fault is ours, not the vendor's.
    Internal,
}

impl ErrorClass {
    /// The word on the wire, in metrics and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::InvalidRequest => "invalid_request",
            Self::ContentFiltered => "content_filtered",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Protocol => "protocol",
            Self::Internal => "internal",
        }
    }
}

/// Who counted the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsageSource {
    /// The vendor's own numbers.
    Provider,
    /// Ours, from the length of the text.
    Estimated,
}

/// Tokens of a generation. `cached_input` is part of `input`, `reasoning` part of `output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct TokenUsage {
    pub input: u64,
    pub cached_input: u64,
    pub output: u64,
    pub reasoning: u64,
    pub total: u64,
    pub source: UsageSource,
}

/// What a generation cost, in millionths of a US dollar, by the prices of one version of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Millionths of a US dollar.
    pub micro_usd: u64,
    /// Whose prices.
    pub catalogue_version: String,
}

/// A source the model names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// Where it is.
    pub url: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Whose key pays; decided when the generation is requested and never changed by a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum KeySource {
    /// The user's own key.
    #[serde(rename_all = "camelCase")]
    Own {
        /// Which one.
        key_id: KeyId,
    },
    /// The operator's key.
    Server,
    /// None: the simulated provider, compatible ones that need no key, and a provider without any (answered by the simulated
    /// one).
    None,
}

/// What is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GenerationKind {
    /// A reply in a chat.
    #[default]
    Chat,
    /// An image.
    Image,
}

impl GenerationKind {
    /// Whether it is a reply in a chat: stored where it is not, since version 1 of what waits knew no other.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference to the field")]
    pub(crate) const fn is_chat(&self) -> bool {
        matches!(self, Self::Chat)
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person.
    User,
    /// A model.
    Assistant,
}

/// What a user thinks of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rating {
    /// Nothing, or nothing any more.
    #[default]
    None,
    /// It is good.
    Up,
    /// It is bad.
    Down,
}

impl Rating {
    /// The word on the wire, in the log and in read models.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Where a title came from. A later one replaces an earlier one, but nothing replaces the user's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TitleSource {
    /// The prompt's first words.
    Provisional,
    /// A model's.
    Generated,
    /// The user's own.
    User,
}

/// How the web client looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Theme {
    Light,
    Dark,
    System,
}
