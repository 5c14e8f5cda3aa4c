//! The frames about messages that are there: to say something else instead, to have a reply made again, to go to another
//! branch, to rate. v1 only.

use slipstream_domain::event::MessageContent;
use slipstream_domain::{ConversationId, MessageId, OnBusy, Prompt, Rating};

use super::FrameError;
use super::chat_request::Extras;
use super::fields::{Fields, optional, required};

/// Which message a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnMessage {
    /// The message.
    pub message: MessageId,
    /// Where it is; looked up when the client does not say.
    pub conversation: Option<ConversationId>,
}

/// `ai_chat_edit`.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// What is edited.
    pub on: OnMessage,
    /// What is said instead.
    pub content: MessageContent,
    /// The client's own name of the edit, 1 to 128 bytes.
    pub client_message_id: Option<String>,
    /// What to do while another reply is being made.
    pub on_busy: OnBusy,
}

/// `ai_chat_regenerate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regenerate {
    /// The reply.
    pub on: OnMessage,
    /// Whom it asks, as written; as before when absent.
    pub provider: Option<String>,
    /// Which model, as written; as before, or the given provider's default, when absent.
    pub model: Option<String>,
    /// The client's own name of the wish, 1 to 128 bytes.
    pub client_message_id: Option<String>,
    /// What to do while another reply is being made.
    pub on_busy: OnBusy,
}

/// `message_rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The reply.
    pub on: OnMessage,
    /// What the user thinks of it.
    pub rating: Rating,
}

impl OnMessage {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            message: required(fields.message_id, "messageId", "the id of a message")?,
            conversation: optional(
                fields.conversation_id,
                "conversationId",
                "the id of one of your conversations",
            )?,
        })
    }
}

impl Edit {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        let Extras { client_message_id, on_busy, .. } = Extras::parse(fields)?;
        let content = MessageContent {
            text: Prompt::parse(required(fields.prompt, "prompt", "a text")?)?,
            metadata: None,
        };
        Ok(Self { on: OnMessage::parse(fields)?, content, client_message_id, on_busy })
    }
}

impl Regenerate {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        let Extras { client_message_id, on_busy, .. } = Extras::parse(fields)?;
        Ok(Self {
            on: OnMessage::parse(fields)?,
            provider: optional(fields.provider, "provider", "a provider's id such as openai")?,
            model: optional(fields.model, "model", "a model's id such as gpt-5-nano")?,
            client_message_id,
            on_busy,
        })
    }
}

impl Rate {
    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        let rating = required(fields.rating, "rating", "up, down or none")?;
        Ok(Self { on: OnMessage::parse(fields)?, rating })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ClientFrame;

    const ID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

    #[test]
    fn each_missing_or_wrong_field_is_named_with_what_would_be_right() {
        for (kind, fields, wanted) in [
            ("ai_chat_edit", r#""prompt":"x""#.to_owned(), "messageId is missing"),
            ("ai_chat_edit", format!(r#""messageId":"{ID}""#), "prompt is missing"),
            ("ai_chat_edit", format!(r#""messageId":"{ID}","prompt":" ""#), "prompt must not be empty"),
            ("ai_chat_edit", format!(r#""messageId":"{ID}","prompt":"x","onBusy":"no""#), "onBusy must be"),
            (
                "ai_chat_edit",
                format!(r#""messageId":"{ID}","prompt":"x","conversationId":1"#),
                "conversationId must be",
            ),
            ("ai_chat_regenerate", format!(r#""messageId":"{ID}","model":7"#), "model must be"),
            (
                "conversation_choose_leaf",
                r#""messageId":"x""#.to_owned(),
                "messageId must be the id of a message",
            ),
            ("message_rate", format!(r#""messageId":"{ID}""#), "rating is missing"),
            (
                "message_rate",
                format!(r#""messageId":"{ID}","rating":"great""#),
                "rating must be up, down or none",
            ),
        ] {
            let error = ClientFrame::parse(&format!(r#"{{"type":"{kind}",{fields}}}"#)).unwrap_err();
            assert!(error.to_string().starts_with(wanted), "{kind} {fields}: {error}");
        }
    }

    #[test]
    fn what_is_left_out_is_as_before() {
        let text = format!(r#"{{"type":"ai_chat_regenerate","messageId":"{ID}"}}"#);
        let Ok(ClientFrame::Regenerate(frame)) = ClientFrame::parse(&text) else { panic!() };
        assert_eq!((frame.provider, frame.model, frame.on.conversation), (None, None, None));
        assert_eq!(frame.on_busy, OnBusy::Queue);
    }
}
