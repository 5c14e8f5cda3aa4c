//! What clients send.

use slipstream_domain::{ConversationId, GenerationId};

use super::fields::{Fields, optional, required};
use super::{
    AssetFrame, ChatFrame, Edit, FetchFrame, FrameError, OnMessage, PictureFrame, Rate, Regenerate, Subscribe,
};

/// A frame from a client.
#[derive(Debug)]
pub enum ClientFrame {
    /// `ai_chat_request`, right or wrong: a wrong one has an answer of its own.
    Chat(Box<ChatFrame>),
    /// `image_gen_request`, right or wrong: a wrong one has an answer of its own.
    Picture(Box<PictureFrame>),
    /// `ai_chat_cancel`.
    Cancel(CancelTarget),
    /// `ai_chat_edit`; v1 only.
    Edit(Box<Edit>),
    /// `ai_chat_regenerate`; v1 only.
    Regenerate(Box<Regenerate>),
    /// `conversation_choose_leaf`; v1 only.
    ChooseLeaf(OnMessage),
    /// `message_rate`; v1 only.
    Rate(Rate),
    /// `typing`.
    Typing(ConversationId),
    /// `ping`.
    Ping,
    /// `subscribe`; v1 only.
    Subscribe(Subscribe),
    /// `unsubscribe`; v1 only.
    Unsubscribe(ConversationId),
    /// A frame about a file, right or wrong: a wrong one has an answer of its own.
    Asset(Box<AssetFrame>),
    /// `asset_fetch_request`, right or wrong: a wrong one has an answer of its own.
    Fetch(Box<FetchFrame>),
}

/// What `ai_chat_cancel` stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelTarget {
    /// One reply.
    Generation(GenerationId),
    /// What is being made in a conversation.
    Conversation(ConversationId),
    /// Everything of the sender.
    All,
}

/// Every type a client may send.
pub(super) const KNOWN_TYPES: [&str; 22] = [
    "ai_chat_request",
    "ai_chat_cancel",
    "ai_chat_edit",
    "ai_chat_regenerate",
    "conversation_choose_leaf",
    "message_rate",
    "typing",
    "ping",
    "subscribe",
    "unsubscribe",
    "asset_attached",
    "asset_paste",
    "asset_upload_prepare",
    "asset_upload_progress",
    "asset_upload_complete",
    "asset_upload_complete_error",
    "asset_upload_abort",
    "asset_upload_request",
    "asset_fetch_request",
    "asset_batch_upload",
    "asset_deleted",
    "image_gen_request",
];

impl ClientFrame {
    /// A frame out of a client's text.
    ///
    /// # Errors
    /// See [`FrameError`]. A wrong `ai_chat_request` is no error here: it carries its own.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let fields = Fields::find(text)?;
        let kind: String = required(fields.r#type, "type", "the name of a frame such as ai_chat_request")?;
        match kind.as_str() {
            "ai_chat_request" => Ok(Self::Chat(Box::new(ChatFrame::parse(&fields)))),
            "ai_chat_cancel" => cancel_target(&fields).map(Self::Cancel),
            "ai_chat_edit" => Edit::parse(&fields).map(|edit| Self::Edit(Box::new(edit))),
            "ai_chat_regenerate" => Regenerate::parse(&fields).map(|again| Self::Regenerate(Box::new(again))),
            "conversation_choose_leaf" => OnMessage::parse(&fields).map(Self::ChooseLeaf),
            "message_rate" => Rate::parse(&fields).map(Self::Rate),
            "typing" => {
                required(fields.conversation_id, "conversationId", RIGHT_CONVERSATION).map(Self::Typing)
            }
            "ping" => Ok(Self::Ping),
            "subscribe" => Subscribe::parse(&fields).map(Self::Subscribe),
            "unsubscribe" => {
                required(fields.conversation_id, "conversationId", RIGHT_CONVERSATION).map(Self::Unsubscribe)
            }
            "image_gen_request" => Ok(Self::Picture(Box::new(PictureFrame::parse(&fields)))),
            "asset_fetch_request" => Ok(Self::Fetch(Box::new(FetchFrame::parse(&fields)))),
            other => match AssetFrame::parse(other, &fields) {
                Some(frame) => Ok(Self::Asset(Box::new(frame))),
                None => Err(FrameError::UnknownType(kind.chars().take(64).collect())),
            },
        }
    }

    /// Whether only clients of v1 may send it.
    #[must_use]
    pub const fn is_v1_only(&self) -> bool {
        match self {
            Self::Subscribe(_)
            | Self::Unsubscribe(_)
            | Self::Edit(_)
            | Self::Regenerate(_)
            | Self::ChooseLeaf(_)
            | Self::Rate(_) => true,
            Self::Chat(_)
            | Self::Picture(_)
            | Self::Cancel(_)
            | Self::Typing(_)
            | Self::Ping
            | Self::Asset(_)
            | Self::Fetch(_) => false,
        }
    }

    /// The type's name for a metric: one of a fixed set.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Chat(_) => "ai_chat_request",
            Self::Picture(_) => "image_gen_request",
            Self::Cancel(_) => "ai_chat_cancel",
            Self::Edit(_) => "ai_chat_edit",
            Self::Regenerate(_) => "ai_chat_regenerate",
            Self::ChooseLeaf(_) => "conversation_choose_leaf",
            Self::Rate(_) => "message_rate",
            Self::Typing(_) => "typing",
            Self::Ping => "ping",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Asset(_) => "asset",
            Self::Fetch(_) => "asset_fetch_request",
        }
    }
}

const RIGHT_CONVERSATION: &str = "the id of one of your conversations";

fn cancel_target(fields: &Fields<'_>) -> Result<CancelTarget, FrameError> {
    let generation = optional(fields.generation_id, "generationId", "the id of a generation")?;
    let conversation = optional(fields.conversation_id, "conversationId", RIGHT_CONVERSATION)?;
    Ok(match (generation, conversation) {
        (Some(generation), _) => CancelTarget::Generation(generation),
        (None, Some(conversation)) => CancelTarget::Conversation(conversation),
        (None, None) => CancelTarget::All,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        ClientFrame::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_frame_is_told_what_one_is() {
        for text in ["", "hello", "[]", "7", "{", r#"{"type":"ping"} x"#, r#"{"type":"ping","type":"ping"}"#]
        {
            assert!(
                refused(text).starts_with("a frame must be one JSON object"),
                "{text}: {}",
                refused(text)
            );
        }
        assert!(refused("{}").starts_with("type is missing"));
        assert!(refused(r#"{"type":7}"#).starts_with("type must be the name of a frame"));
    }

    #[test]
    fn an_unknown_type_is_named_with_those_that_are_known() {
        let error = ClientFrame::parse(r#"{"type":"make_coffee"}"#).unwrap_err();
        assert_eq!(error.code().as_str(), "unknown_type");
        assert!(error.to_string().contains("`make_coffee`") && error.to_string().contains("ai_chat_request"));
    }

    #[test]
    fn every_known_type_is_a_frame() {
        for kind in KNOWN_TYPES {
            let conversation = "0190163d-8694-739b-aea5-966c26f8ad91";
            let fields = format!(r#""messageId":"{conversation}","prompt":"x","rating":"up""#);
            let text = format!(r#"{{"type":"{kind}","conversationId":"{conversation}",{fields}}}"#);
            assert!(ClientFrame::parse(&text).is_ok(), "{kind}");
        }
    }

    #[test]
    fn a_cancel_names_a_generation_a_conversation_or_nothing() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let target = |text: &str| match ClientFrame::parse(text) {
            Ok(ClientFrame::Cancel(target)) => target,
            other => panic!("{other:?}"),
        };
        assert_eq!(target(r#"{"type":"ai_chat_cancel"}"#), CancelTarget::All);
        assert_eq!(
            target(&format!(r#"{{"type":"ai_chat_cancel","conversationId":"{id}"}}"#)),
            CancelTarget::Conversation(id.parse().unwrap())
        );
        assert_eq!(
            target(&format!(r#"{{"type":"ai_chat_cancel","generationId":"{id}"}}"#)),
            CancelTarget::Generation(id.parse().unwrap())
        );
        assert_eq!(
            refused(r#"{"type":"ai_chat_cancel","generationId":"x"}"#),
            "generationId must be the id of a generation"
        );
    }
}
