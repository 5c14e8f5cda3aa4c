//! The fields of a frame, found but not yet parsed. Holds slices of the client's text only, so a frame of a million
//! unknown fields costs nothing beside itself; checks the depth before anything that could recurse sees the text.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::FrameError;

/// How deep brackets may be nested. Our deepest frame has 3 levels; unknown fields may have their own.
pub(super) const MAX_DEPTH: usize = 64;

/// Every field that any of our frames has. `null` counts as absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    pub(super) r#type: Option<&'a RawValue>,
    pub(super) conversation_id: Option<&'a RawValue>,
    pub(super) prompt: Option<&'a RawValue>,
    pub(super) provider: Option<&'a RawValue>,
    pub(super) model: Option<&'a RawValue>,
    pub(super) system_prompt: Option<&'a RawValue>,
    pub(super) temperature: Option<&'a RawValue>,
    pub(super) top_p: Option<&'a RawValue>,
    pub(super) max_tokens: Option<&'a RawValue>,
    pub(super) enable_thinking: Option<&'a RawValue>,
    pub(super) enable_web_search: Option<&'a RawValue>,
    pub(super) width: Option<&'a RawValue>,
    pub(super) height: Option<&'a RawValue>,
    pub(super) metadata: Option<&'a RawValue>,
    pub(super) batch_id: Option<&'a RawValue>,
    pub(super) generation_id: Option<&'a RawValue>,
    pub(super) attachment_id: Option<&'a RawValue>,
    pub(super) draft_id: Option<&'a RawValue>,
    pub(super) filename: Option<&'a RawValue>,
    pub(super) mime: Option<&'a RawValue>,
    pub(super) content_type: Option<&'a RawValue>,
    pub(super) base64: Option<&'a RawValue>,
    pub(super) size: Option<&'a RawValue>,
    pub(super) origin: Option<&'a RawValue>,
    pub(super) progress: Option<&'a RawValue>,
    pub(super) bytes_uploaded: Option<&'a RawValue>,
    pub(super) total_bytes: Option<&'a RawValue>,
    pub(super) source_url: Option<&'a RawValue>,
    pub(super) reason: Option<&'a RawValue>,
    pub(super) client_message_id: Option<&'a RawValue>,
    pub(super) parent_message_id: Option<&'a RawValue>,
    pub(super) message_id: Option<&'a RawValue>,
    pub(super) rating: Option<&'a RawValue>,
    pub(super) on_busy: Option<&'a RawValue>,
    pub(super) version: Option<&'a RawValue>,
    pub(super) generations: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// Not one JSON object, nested too deep, or a field given twice.
    pub(super) fn find(text: &'a str) -> Result<Self, FrameError> {
        if !text.trim_start().starts_with('{') {
            return Err(FrameError::NotAnObject("it does not begin with {".to_owned()));
        }
        if depth(text) > MAX_DEPTH {
            return Err(FrameError::TooDeep);
        }
        serde_json::from_str(text).map_err(|error| FrameError::NotAnObject(error.to_string()))
    }
}

/// The value of a field; `None` when it is absent.
///
/// # Errors
/// It is not what it should be: `what must be right`.
pub(super) fn optional<T: DeserializeOwned>(
    raw: Option<&RawValue>,
    what: &str,
    right: &str,
) -> Result<Option<T>, FrameError> {
    raw.map(|raw| serde_json::from_str(raw.get())).transpose().map_err(|error| {
        let surrogate = if is_surrogate(&error) { SURROGATE } else { "" };
        FrameError::Field(format!("{what} must be {right}{surrogate}"))
    })
}

const SURROGATE: &str = "; half of a surrogate pair is none (an emoji may have been cut in two)";

/// Whether the text has an escape such as `\ud800` without its other half. `serde_json` tells in words alone.
fn is_surrogate(error: &serde_json::Error) -> bool {
    let message = error.to_string();
    ["surrogate", "unexpected end of hex escape"].iter().any(|word| message.contains(word))
}

/// The value of a field that must be there.
///
/// # Errors
/// It is missing, or not what it should be.
pub(super) fn required<T: DeserializeOwned>(
    raw: Option<&RawValue>,
    what: &str,
    right: &str,
) -> Result<T, FrameError> {
    optional(raw, what, right)?
        .ok_or_else(|| FrameError::Field(format!("{what} is missing; it must be {right}")))
}

/// The text of a field to be repeated in an answer, cut to what may be repeated; `None` when it is no text.
pub(super) fn echo(raw: Option<&RawValue>) -> Option<String> {
    const MAX_CHARS: usize = 128;
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    Some(text.chars().take(MAX_CHARS).collect())
}

/// The deepest nesting of brackets outside strings. Right for JSON; for anything else the parser decides.
fn depth(text: &str) -> usize {
    let (mut deepest, mut depth) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_levels_are_refused_before_anything_recurses() {
        let arrays = format!("{{\"type\":\"ping\",\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(Fields::find(&arrays).unwrap_err(), FrameError::TooDeep);
        let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        assert_eq!(Fields::find(&objects).unwrap_err(), FrameError::TooDeep);
    }

    #[test]
    fn brackets_in_strings_have_no_depth() {
        let text = format!(r#"{{"type":"ping","x":"{}\"{}"}}"#, "[".repeat(100), "{".repeat(100));
        assert_eq!(depth(&text), 1);
        assert!(Fields::find(&text).is_ok());
    }

    #[test]
    fn an_array_is_no_frame_even_if_its_items_would_fit() {
        assert!(matches!(Fields::find(r#"["ping"]"#), Err(FrameError::NotAnObject(_))));
    }

    #[test]
    fn null_is_absent() {
        let fields = Fields::find(r#"{"type":"ping","model":null}"#).unwrap();
        assert!(fields.model.is_none());
    }
}
