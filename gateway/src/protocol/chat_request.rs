//! The frame `ai_chat_request`: parsed into values of the domain, or refused with what the client gave, so that the
//! refusal can be shown in the right place.

use serde::Deserialize;
use serde_json::value::RawValue;
use slipstream_domain::event::MessageContent;
use slipstream_domain::values::clean_text;
use slipstream_domain::{
    BatchId, ConversationId, MaxTokens, MessageId, OnBusy, Params, Prompt, RequestMetadata, SystemPrompt,
    Temperature, TopP,
};

use super::FrameError;
use super::fields::{Fields, echo, optional, required};

const RIGHT_CONVERSATION: &str = "`new-chat` or the id of one of your conversations";
const NEW_CHAT: &str = "new-chat";

/// An `ai_chat_request`, right or wrong.
#[derive(Debug)]
pub struct ChatFrame {
    /// What the answer repeats.
    pub given: Given,
    /// The request, if it is one.
    pub request: Result<ChatRequest, FrameError>,
    /// What v1 adds; a compat client's is not looked at.
    pub extras: Result<Extras, FrameError>,
}

/// What a v1 client may say of its message beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extras {
    /// Its own name of the message, 1 to 128 bytes: the same name of a user is accepted once.
    pub client_message_id: Option<String>,
    /// What the message follows; the conversation's leaf when absent.
    pub parent_message_id: Option<MessageId>,
    /// What to do while another reply is being made: wait for it, unless the client says otherwise.
    pub on_busy: OnBusy,
    /// Whether the model is to think, if the client says so.
    pub enable_thinking: Option<bool>,
    /// Whether the model may search the web, if the client says so.
    pub enable_web_search: Option<bool>,
}

impl Extras {
    /// What holds for a client that says nothing of it: a compat client.
    pub const NONE: Self = Self {
        client_message_id: None,
        parent_message_id: None,
        on_busy: OnBusy::Reject,
        enable_thinking: None,
        enable_web_search: None,
    };
}

/// What a client gave, as text to be repeated to it (cut to 128 characters each).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct Given {
    pub conversation_id: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
}

/// A well-formed request. Whether provider and model exist is the catalogue's matter, whether the conversation does, and
/// is the sender's, that of the use case. What the client says of keys (`hasProviderConfigured`, `isDefaultProvider`) is
/// not read: the server decides whose key pays.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// Where.
    pub conversation: Where,
    /// What is said, and from where.
    pub content: MessageContent,
    /// Whom it asks, as written.
    pub provider: String,
    /// Which model, as written; the provider's default when absent.
    pub model: Option<String>,
    /// Under which standing instructions; blank counts as absent.
    pub system_prompt: Option<SystemPrompt>,
    /// With which parameters.
    pub params: Params,
    /// The uploads that belong to the message. A name that no upload can have is one of none.
    pub batch: Option<BatchId>,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Into a conversation to be started: `new-chat`.
    NewChat,
    /// Into one that exists.
    Conversation(ConversationId),
}

impl ChatFrame {
    pub(super) fn parse(fields: &Fields<'_>) -> Self {
        let given = Given {
            conversation_id: echo(fields.conversation_id),
            provider: echo(fields.provider),
            model: echo(fields.model),
        };
        Self { given, request: ChatRequest::parse(fields), extras: Extras::parse(fields) }
    }
}

impl Extras {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        let right_parent = "the id of a message of the conversation";
        Ok(Self {
            client_message_id: client_message_id(fields)?,
            parent_message_id: optional(fields.parent_message_id, "parentMessageId", right_parent)?,
            on_busy: on_busy(fields)?,
            enable_thinking: optional(fields.enable_thinking, "enableThinking", "true or false")?,
            enable_web_search: optional(fields.enable_web_search, "enableWebSearch", "true or false")?,
        })
    }
}

pub(super) fn client_message_id(fields: &Fields<'_>) -> Result<Option<String>, FrameError> {
    const MAX_BYTES: usize = 128;
    let right = "a text of 1 to 128 bytes";
    let name: Option<String> = optional(fields.client_message_id, "clientMessageId", right)?;
    match name {
        Some(name) if name.is_empty() || name.len() > MAX_BYTES => {
            Err(FrameError::Field(format!("clientMessageId must be {right}")))
        }
        name => Ok(name),
    }
}

fn on_busy(fields: &Fields<'_>) -> Result<OnBusy, FrameError> {
    let right = "queue, replace or reject";
    let word: Option<String> = optional(fields.on_busy, "onBusy", right)?;
    match word.as_deref() {
        None | Some("queue") => Ok(OnBusy::Queue),
        Some("replace") => Ok(OnBusy::Replace),
        Some("reject") => Ok(OnBusy::Reject),
        Some(_) => Err(FrameError::Field(format!("onBusy must be {right}"))),
    }
}

impl ChatRequest {
    fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            conversation: place(fields.conversation_id)?,
            content: MessageContent {
                text: Prompt::parse(required(fields.prompt, "prompt", "a text")?)?,
                metadata: fields.metadata.map(metadata).transpose()?,
            },
            provider: required(fields.provider, "provider", "a provider's id such as openai")?,
            model: optional(fields.model, "model", "a model's id such as gpt-5-nano")?,
            system_prompt: system_prompt(fields.system_prompt)?,
            params: params(fields)?,
            batch: echo(fields.batch_id).and_then(|batch| BatchId::parse(&batch).ok()),
        })
    }
}

pub(super) fn place(raw: Option<&RawValue>) -> Result<Where, FrameError> {
    let text: String = required(raw, "conversationId", RIGHT_CONVERSATION)?;
    if text == NEW_CHAT {
        return Ok(Where::NewChat);
    }
    let id = text
        .parse()
        .map_err(|_| FrameError::Field(format!("conversationId must be {RIGHT_CONVERSATION}")))?;
    Ok(Where::Conversation(id))
}

fn system_prompt(raw: Option<&RawValue>) -> Result<Option<SystemPrompt>, FrameError> {
    let text: Option<String> = optional(raw, "systemPrompt", "a text")?;
    Ok(text.filter(|text| !text.trim().is_empty()).map(SystemPrompt::parse).transpose()?)
}

/// A number that JSON can write but a double cannot hold (`1e999`) is wrong like one out of range.
fn params(fields: &Fields<'_>) -> Result<Params, FrameError> {
    let temperature = optional(fields.temperature, "temperature", "a number from 0 to 2")?;
    let top_p = optional(fields.top_p, "topP", "a number from 0 to 1")?;
    let max_tokens = optional(fields.max_tokens, "maxTokens", "a whole number from 1 to 10000000")?;
    Ok(Params {
        temperature: temperature.map(Temperature::parse).transpose()?,
        top_p: top_p.map(TopP::parse).transpose()?,
        max_tokens: max_tokens.map(MaxTokens::parse).transpose()?,
        ..Params::default()
    })
}

/// The place as the client says it. Its numbers may be written as text: they come from cookies.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataFields<'a> {
    #[serde(borrow)]
    city: Option<&'a RawValue>,
    region: Option<&'a RawValue>,
    country: Option<&'a RawValue>,
    lat: Option<&'a RawValue>,
    lng: Option<&'a RawValue>,
    tz: Option<&'a RawValue>,
    postal_code: Option<&'a RawValue>,
    locale: Option<&'a RawValue>,
}

fn metadata(raw: &RawValue) -> Result<RequestMetadata, FrameError> {
    let wrong = || {
        FrameError::Field(
            "metadata must be an object with city, region, country, lat, lng, tz, postalCode, locale".into(),
        )
    };
    if !raw.get().starts_with('{') {
        return Err(wrong());
    }
    let fields: MetadataFields<'_> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
    Ok(RequestMetadata {
        city: word(fields.city, "metadata.city")?,
        region: word(fields.region, "metadata.region")?,
        country: word(fields.country, "metadata.country")?,
        lat: degrees(fields.lat, "metadata.lat")?,
        lng: degrees(fields.lng, "metadata.lng")?,
        tz: word(fields.tz, "metadata.tz")?,
        postal_code: word(fields.postal_code, "metadata.postalCode")?,
        locale: word(fields.locale, "metadata.locale")?,
    })
}

fn word(raw: Option<&RawValue>, what: &str) -> Result<Option<String>, FrameError> {
    const MAX_BYTES: usize = 256;
    let right = "a text of at most 256 bytes";
    let text: Option<String> = optional(raw, what, right)?;
    match text {
        Some(text) if text.len() > MAX_BYTES => Err(FrameError::Field(format!("{what} must be {right}"))),
        text => Ok(text.map(clean_text)),
    }
}

fn degrees(raw: Option<&RawValue>, what: &str) -> Result<Option<f64>, FrameError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Degrees {
        Number(f64),
        Text(String),
    }
    let right = "a number of degrees";
    let value = match optional(raw, what, right)? {
        None => return Ok(None),
        Some(Degrees::Number(number)) => Some(number),
        Some(Degrees::Text(text)) if text.trim().is_empty() => return Ok(None),
        Some(Degrees::Text(text)) => text.trim().parse().ok(),
    };
    match value.filter(|number| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(FrameError::Field(format!("{what} must be {right}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    fn parse(text: &str) -> Result<ChatRequest, FrameError> {
        ChatFrame::parse(&Fields::find(text).unwrap()).request
    }

    fn with(field: &str) -> Result<ChatRequest, FrameError> {
        parse(&format!(r#"{{"conversationId":"new-chat","prompt":"hello","provider":"openai",{field}}}"#))
    }

    fn message(result: Result<ChatRequest, FrameError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_full_request_becomes_values() {
        let request = with(
            r#""model":"gpt-5-nano","systemPrompt":" ","temperature":0.5,"topP":1,"maxTokens":100,
               "hasProviderConfigured":true,"isDefaultProvider":"yes","batchId":"b",
               "metadata":{"city":"Bern","lat":"46.9","lng":7.4,"postalCode":null,"other":[1]}"#,
        )
        .unwrap();
        assert_eq!(request.conversation, Where::NewChat);
        assert_eq!(request.system_prompt, None);
        assert_eq!(request.params.max_tokens.unwrap().get(), 100);
        let metadata = request.content.metadata.unwrap();
        assert_eq!(
            (metadata.city.as_deref(), metadata.lat, metadata.postal_code),
            (Some("Bern"), Some(46.9), None)
        );
    }

    #[test]
    fn each_missing_or_wrong_field_is_named_with_what_would_be_right() {
        for (field, wrong) in [
            (r#""temperature":1e999"#, "temperature must be a number from 0 to 2"),
            (r#""temperature":"hot""#, "temperature must be a number from 0 to 2"),
            (r#""temperature":3"#, "temperature must be a number from 0 to 2"),
            (r#""topP":-1"#, "topP must be a number from 0 to 1"),
            (r#""maxTokens":1.5"#, "maxTokens must be a whole number from 1 to 10000000"),
            (r#""model":7"#, "model must be a model's id such as gpt-5-nano"),
            (r#""systemPrompt":[]"#, "systemPrompt must be a text"),
            (r#""metadata":"x""#, "metadata must be an object with city"),
            (r#""metadata":{"lat":"north"}"#, "metadata.lat must be a number of degrees"),
            (r#""metadata":{"city":1}"#, "metadata.city must be a text"),
        ] {
            let got = message(with(field));
            assert!(got.starts_with(wrong), "{field}: {got}");
        }
        assert_eq!(
            message(parse(r#"{"conversationId":"new-chat","provider":"openai"}"#)),
            "prompt is missing; it must be a text"
        );
        assert_eq!(
            message(parse(r#"{"conversationId":"new-chat","prompt":"hello"}"#)),
            "provider is missing; it must be a provider's id such as openai"
        );
        assert!(
            message(parse(r#"{"prompt":"hello","provider":"openai"}"#))
                .starts_with("conversationId is missing")
        );
    }

    #[test]
    fn what_v1_adds_is_looked_at_by_itself() {
        let extras = |fields: &str| {
            let text = format!("{{\"type\":\"ai_chat_request\"{fields}}}");
            ChatFrame::parse(&Fields::find(&text).unwrap()).extras.map_err(|error| error.to_string())
        };
        assert_eq!(extras(""), Ok(Extras { on_busy: OnBusy::Queue, ..Extras::NONE }));
        assert_eq!(extras(r#","onBusy":"replace""#).unwrap().on_busy, OnBusy::Replace);
        let wishes = extras(r#","enableThinking":false,"enableWebSearch":true"#).unwrap();
        assert_eq!((wishes.enable_thinking, wishes.enable_web_search), (Some(false), Some(true)));
        let long = format!(r#","clientMessageId":"{}""#, "x".repeat(129));
        for (fields, wanted) in [
            (r#","clientMessageId":"" "#, "clientMessageId must be a text of 1 to 128 bytes"),
            (long.as_str(), "clientMessageId must be"),
            (r#","clientMessageId":7"#, "clientMessageId must be"),
            (r#","parentMessageId":"x""#, "parentMessageId must be the id of a message"),
            (r#","enableThinking":"no""#, "enableThinking must be true or false"),
            (r#","onBusy":"wait""#, "onBusy must be queue, replace or reject"),
        ] {
            assert!(extras(fields).unwrap_err().starts_with(wanted), "{fields}");
        }
    }

    #[test]
    fn a_stray_word_as_conversation_is_refused_and_given_back() {
        let text = r#"{"conversationId":"home","prompt":"hello","provider":"openai"}"#;
        let frame = ChatFrame::parse(&Fields::find(text).unwrap());
        assert_eq!(frame.given.conversation_id.as_deref(), Some("home"));
        assert!(frame.request.unwrap_err().to_string().starts_with("conversationId must be `new-chat`"));
    }

    #[test]
    fn what_is_given_back_is_cut() {
        let text = format!(r#"{{"conversationId":"{}"}}"#, "ä".repeat(100_000));
        let given = ChatFrame::parse(&Fields::find(&text).unwrap()).given;
        assert_eq!(given.conversation_id.unwrap().chars().count(), 128);
    }

    #[test]
    fn prompts_are_cleaned_bounded_and_not_empty() {
        let prompt = |text: &str| {
            parse(&format!(r#"{{"conversationId":"new-chat","prompt":"{text}","provider":"openai"}}"#))
        };
        assert_eq!(prompt(r"a\u0000b").unwrap().content.text.as_str(), "a\u{FFFD}b");
        assert_eq!(message(prompt(" ")), "prompt must not be empty");
        assert!(message(prompt(&"x".repeat(1 << 20))).starts_with("prompt has 1048576 bytes"));
        for half in [r"\ud800", r"\ud83dx", r"\ud83d\u0041", r"\ude00"] {
            let said = message(prompt(half));
            assert!(said.starts_with("prompt must be a text; half of a surrogate pair"), "{half}: {said}");
        }
        assert_eq!(prompt(&"x".repeat(1 << 20)).unwrap_err().code(), ErrorCode::TooLarge);
    }
}
