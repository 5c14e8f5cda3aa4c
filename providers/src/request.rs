//! What a provider is asked, already parsed: an adapter has nothing left to refuse but what its model cannot do.

use std::sync::Arc;

use slipstream_domain::{ModelId, Params, ProviderId};

use crate::{ApiKey, Attachment, KeyOwner, Model};

/// One question to one model. A model that makes pictures but does not chat is asked for one the same way: the last
/// message is its prompt, and it answers with [`crate::Delta::Image`].
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model asked. Its catalogue entry decides what is sent: a parameter it does not support is left out.
    pub model: Arc<Model>,
    /// Standing instructions.
    pub system: Option<String>,
    /// The conversation, oldest first, ending with the user message to answer. Cut it with [`crate::fit`].
    pub history: Vec<Turn>,
    /// Sampling, length, and the size of a picture, of which the vendor's nearest is taken; absent means the vendor's
    /// default. Whether to think and to search stands below.
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
        /// What came with it, in order. Of the last message all must be readable by the model; of earlier ones those that
        /// are not are left out, and the model is told.
        attachments: Vec<Attachment>,
    },
    /// A model's: the one asked now, or another.
    Assistant {
        /// Who ran the model.
        provider: ProviderId,
        /// Which model.
        model: ModelId,
        /// The answer, without its thinking.
        text: String,
        /// Its thinking as far as the vendor proved it, in order. Goes back to the model it came from and to no other;
        /// may be left out.
        thinking: Vec<SignedThinking>,
    },
}

/// A run of thinking and the proof that came with it ([`crate::Delta::ThinkingSignature`]), both unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedThinking {
    /// All [`crate::Delta::Thinking`] since the proof before.
    pub text: String,
    /// The vendor's.
    pub signature: String,
}

impl Turn {
    /// The message.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::User { text, .. } | Self::Assistant { text, .. } => text,
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

impl UserLocation {
    /// As OpenAI and Anthropic take it beside their web search; none when nothing is known.
    pub(crate) fn approximate(&self) -> Option<serde_json::Value> {
        let is_code = |code: &&str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic());
        let known = [
            ("city", self.city.as_deref()),
            ("region", self.region.as_deref()),
            ("country", self.country.as_deref().filter(is_code)),
            ("timezone", self.timezone.as_deref()),
        ];
        let mut location: serde_json::Map<_, _> =
            known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
        if location.is_empty() {
            return None;
        }
        location.insert("type".to_owned(), "approximate".into());
        Some(location.into())
    }
}
