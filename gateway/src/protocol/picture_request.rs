//! The frame `image_gen_request`: parsed into values of the domain, or refused with what the client gave.

use slipstream_domain::event::MessageContent;
use slipstream_domain::{PictureSize, Prompt};

use super::FrameError;
use super::chat_request::{Where, client_message_id, place};
use super::fields::{Fields, echo, optional, required};

/// An `image_gen_request`, right or wrong.
#[derive(Debug)]
pub struct PictureFrame {
    /// The conversation as the client gave it; the answer repeats it.
    pub conversation_id: Option<String>,
    /// The request, if it is one.
    pub request: Result<PictureRequest, FrameError>,
}

/// A well-formed request. Whether the model exists and makes pictures is the catalogue's matter. `seed`, `negativePrompt`,
/// `steps` and `guidanceScale` are not read: no model of the catalogue takes them.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureRequest {
    /// Where.
    pub conversation: Where,
    /// What is to be seen.
    pub content: MessageContent,
    /// Which model, as written.
    pub model: String,
    /// How large; the vendor's default when absent.
    pub size: Option<PictureSize>,
    /// The client's own name of the request, 1 to 128 bytes. v1 only: a compat client has none.
    pub client_message_id: Option<String>,
}

impl PictureFrame {
    pub(super) fn parse(fields: &Fields<'_>) -> Self {
        Self { conversation_id: echo(fields.conversation_id), request: PictureRequest::parse(fields) }
    }
}

impl PictureRequest {
    fn parse(fields: &Fields<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            conversation: place(fields.conversation_id)?,
            content: MessageContent {
                text: Prompt::parse(required(fields.prompt, "prompt", "a text")?)?,
                metadata: None,
            },
            model: required(fields.model, "model", "the id of a model that makes pictures")?,
            size: size(fields)?,
            client_message_id: client_message_id(fields)?,
        })
    }
}

fn size(fields: &Fields<'_>) -> Result<Option<PictureSize>, FrameError> {
    let pixels = "a whole number from 1 to 16384";
    let width: Option<u64> = optional(fields.width, "width", pixels)?;
    let height: Option<u64> = optional(fields.height, "height", pixels)?;
    match (width, height) {
        (None, None) => Ok(None),
        (Some(width), Some(height)) => Ok(Some(PictureSize::parse(width, height)?)),
        (Some(_), None) => {
            Err(FrameError::Field(format!("height is missing beside width; it must be {pixels}")))
        }
        (None, Some(_)) => {
            Err(FrameError::Field(format!("width is missing beside height; it must be {pixels}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(fields: &str) -> Result<PictureRequest, String> {
        let text =
            format!(r#"{{"conversationId":"new-chat","prompt":"a cat","model":"gpt-image-1"{fields}}}"#);
        PictureFrame::parse(&Fields::find(&text).unwrap()).request.map_err(|error| error.to_string())
    }

    #[test]
    fn a_size_has_two_sides_and_what_no_model_takes_is_not_read() {
        let request = with(r#","width":1024,"height":768,"seed":"x","steps":[]"#).unwrap();
        assert_eq!(request.size, PictureSize::parse(1024, 768).ok());
        assert_eq!(with("").unwrap().size, None);
        for (fields, wrong) in [
            (r#","width":1024"#, "height is missing beside width"),
            (r#","height":1024"#, "width is missing beside height"),
            (r#","width":0,"height":1"#, "width must be a whole number from 1 to 16384"),
            (r#","width":1,"height":"tall""#, "height must be a whole number from 1 to 16384"),
        ] {
            let refused = with(fields).unwrap_err();
            assert!(refused.starts_with(wrong), "{fields}: {refused}");
        }
    }
}
