//! What a provider is asked, already parsed: an adapter has nothing left to refuse but what its model cannot do.

use std::sync::Arc;

use slipstream_domain::{ModelId, Params, ProviderId};

use crate::{ApiKey, KeyOwner, Model};

/// One question to one model.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model asked. Its catalogue entry decides what is sent: a parameter it does not support is left out.
    pub model: Arc<Model>,
    /// Standing instructions.
    pub system: Option<String>,
    /// The conversation, oldest first, ending with the user message to answer. Cut it with [`crate::fit`].
    pub history: Vec<Turn>,
    /// Sampling and length; absent means the vendor's default.
    pub params: Params,
    /// Whether the user wants to see the model think.
    pub thinking: bool,
    /// Whether the model may search the web.
    pub web_search: bool,
    /// Where the user is, for web search.
    pub user_location: Option<UserLocation>,
    /// The key. None is sent without one, as a proxy that holds the keys itself wants it.
    pub key: Option<ApiKey>,
    /// Whose key it is.
    pub key_owner: KeyOwner,
}

/// One message of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The person's.
    User {
        /// As written.
        text: String,
    },
    /// A model's: the one asked now, or another.
    Assistant {
        /// Who ran the model.
        provider: ProviderId,
        /// Which model.
        model: ModelId,
        /// The answer, without its thinking.
        text: String,
    },
}

impl Turn {
    /// The message.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::User { text } | Self::Assistant { text, .. } => text,
        }
    }
}

/// Roughly where the user is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserLocation {
    /// Free text.
    pub city: Option<String>,
    /// Free text.
    pub region: Option<String>,
    /// ISO 3166-1, two letters. Anything else is not sent.
    pub country: Option<String>,
    /// IANA time zone.
    pub timezone: Option<String>,
}
