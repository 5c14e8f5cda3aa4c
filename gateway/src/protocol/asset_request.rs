//! The frames about files that clients send: parsed into values of the domain, or refused with what the client gave, so
//! that the refusal finds its upload.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use slipstream_commands::ports::SourceUrl;
use slipstream_domain::{AttachmentId, BatchId, ConversationId, DraftId, FileName, MediaType, Origin};

use super::FrameError;
use super::asset::AssetHead;
use super::fields::{Fields, echo, optional, required};

/// A frame about a file, right or wrong.
#[derive(Debug)]
pub struct AssetFrame {
    /// What its answers repeat.
    pub given: AssetGiven,
    /// What it is about: says which error answers it.
    pub kind: AssetKind,
    /// What it wants, if it is well-formed.
    pub wish: Result<AssetWish, FrameError>,
}

/// An `asset_fetch_request`, right or wrong.
#[derive(Debug)]
pub struct FetchFrame {
    /// What its answers repeat.
    pub given: AssetGiven,
    /// What is to be fetched, if the frame is well-formed.
    pub source: Result<AssetSource, FrameError>,
}

/// What a client gave, as text to be repeated to it (cut to 128 characters each).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct AssetGiven {
    pub conversation_id: Option<String>,
    pub attachment_id: Option<String>,
    pub draft_id: Option<String>,
    pub batch_id: Option<String>,
}

/// What a frame about a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetKind {
    /// The beginning of an upload.
    Begin,
    /// An upload under way, or a file that is there.
    Report,
    /// The end of an upload.
    End,
}

/// What a frame about a file wants.
#[derive(Debug, Clone, PartialEq)]
pub enum AssetWish {
    /// `asset_attached`, `asset_paste`: to upload a file.
    Begin(Box<AssetBegin>),
    /// `asset_upload_prepare`: an upload begins, of a file that may have been announced.
    Prepare(Box<AssetBegin>),
    /// `asset_upload_progress`: so much of it is there, as the client says.
    Progress(AssetProgress),
    /// `asset_upload_complete`: it is uploaded. What else the client says of it is not read.
    Complete(AttachmentId),
    /// `asset_upload_complete_error`: it could not be uploaded.
    Failed(AttachmentId),
    /// `asset_upload_abort`: it will not be.
    Abort(AttachmentId, Option<String>),
    /// `asset_upload_request`: a whole file in a frame.
    Inline(Box<AssetBegin>, Vec<u8>),
    /// `asset_batch_upload`: how far the files of a batch are.
    Batch(BatchId),
    /// `asset_deleted`: to delete a file.
    Delete(AttachmentId),
}

/// A file to come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct AssetBegin {
    /// `None` for `new-chat` and stray words: a file needs no conversation.
    pub conversation: Option<ConversationId>,
    pub draft_id: Option<DraftId>,
    pub batch_id: Option<BatchId>,
    pub origin: Origin,
    pub filename: FileName,
    pub mime: MediaType,
    pub size: u64,
}

/// A file elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct AssetSource {
    /// `None` for `new-chat` and stray words: a file needs no conversation.
    pub conversation: Option<ConversationId>,
    pub draft_id: Option<DraftId>,
    pub batch_id: Option<BatchId>,
    pub source: SourceUrl,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names are the fields of the wire protocol")]
pub struct AssetProgress {
    /// Percent.
    pub progress: f64,
    pub bytes_uploaded: Option<u64>,
    pub total_bytes: Option<u64>,
}

impl AssetGiven {
    fn of(fields: &Fields<'_>) -> Self {
        Self {
            conversation_id: echo(fields.conversation_id),
            attachment_id: echo(fields.attachment_id),
            draft_id: echo(fields.draft_id),
            batch_id: echo(fields.batch_id),
        }
    }

    /// What the answers to a frame say of its file.
    #[must_use]
    pub fn head(&self, user_id: slipstream_domain::UserId) -> AssetHead {
        let Self { conversation_id, attachment_id, draft_id, batch_id } = self.clone();
        AssetHead { conversation_id, attachment_id, draft_id, batch_id, user_id }
    }
}

impl AssetFrame {
    /// A frame of this type; `None` when the type is none of these.
    pub(super) fn parse(kind: &str, fields: &Fields<'_>) -> Option<Self> {
        let (about, wish) = match kind {
            "asset_attached" => (AssetKind::Begin, begin(fields, Origin::Upload).map(AssetWish::Begin)),
            "asset_paste" => (AssetKind::Begin, begin(fields, Origin::Pasted).map(AssetWish::Begin)),
            "asset_upload_prepare" => {
                (AssetKind::Begin, begin(fields, Origin::Upload).map(AssetWish::Prepare))
            }
            "asset_upload_request" => (AssetKind::Begin, inline(fields)),
            "asset_upload_progress" => (AssetKind::Report, progress(fields).map(AssetWish::Progress)),
            "asset_upload_abort" => (AssetKind::Report, abort(fields)),
            "asset_upload_complete" => (AssetKind::End, id(fields).map(AssetWish::Complete)),
            "asset_upload_complete_error" => (AssetKind::End, id(fields).map(AssetWish::Failed)),
            "asset_batch_upload" => (AssetKind::Report, batch(fields)),
            "asset_deleted" => (AssetKind::Report, id(fields).map(AssetWish::Delete)),
            _ => return None,
        };
        Some(Self { given: AssetGiven::of(fields), kind: about, wish })
    }
}

impl FetchFrame {
    pub(super) fn parse(fields: &Fields<'_>) -> Self {
        Self { given: AssetGiven::of(fields), source: source(fields) }
    }
}

fn begin(fields: &Fields<'_>, usual: Origin) -> Result<Box<AssetBegin>, FrameError> {
    let mime: String = required(fields.mime, "mime", "a media type such as image/png")?;
    let size = required(fields.size, "size", "a whole number of bytes")?;
    described(fields, usual, &mime, size)
}

/// `asset_upload_request` calls the media type so that it has another name, and says no size.
fn inline(fields: &Fields<'_>) -> Result<AssetWish, FrameError> {
    let mime: String = required(fields.content_type, "contentType", "a media type such as image/png")?;
    let text: String = required(fields.base64, "base64", BASE64)?;
    let text = text.split_once(";base64,").map_or(text.as_str(), |(_, data)| data);
    let bytes = STANDARD.decode(text).map_err(|_| FrameError::Field(format!("base64 must be {BASE64}")))?;
    Ok(AssetWish::Inline(described(fields, Origin::Upload, &mime, bytes.len() as u64)?, bytes))
}

const BASE64: &str = "the file's bytes in base64";

fn described(
    fields: &Fields<'_>,
    usual: Origin,
    mime: &str,
    size: u64,
) -> Result<Box<AssetBegin>, FrameError> {
    let filename: String = required(fields.filename, "filename", "the name of a file")?;
    let right_origin = "UPLOAD, PASTED, SCREENSHOT or IMPORTED";
    let origin = optional(fields.origin, "origin", right_origin)?.unwrap_or(usual);
    Ok(Box::new(AssetBegin {
        conversation: conversation(fields)?,
        draft_id: named(fields.draft_id, "draftId", DraftId::parse)?,
        batch_id: named(fields.batch_id, "batchId", BatchId::parse)?,
        origin: match origin {
            Origin::Upload | Origin::Pasted | Origin::Screenshot | Origin::Imported => origin,
            // What this server brings itself.
            Origin::Remote | Origin::Generated | Origin::Scraped => {
                return Err(FrameError::Field(format!("origin must be {right_origin}")));
            }
        },
        filename: FileName::parse(&filename)?,
        mime: MediaType::parse(mime)?,
        size,
    }))
}

fn source(fields: &Fields<'_>) -> Result<AssetSource, FrameError> {
    let right = "an http or https URL without a user, such as https://example.com/photo.png";
    let url: String = required(fields.source_url, "sourceUrl", right)?;
    let wrong = || FrameError::Field(format!("sourceUrl must be {right}"));
    Ok(AssetSource {
        conversation: conversation(fields)?,
        draft_id: named(fields.draft_id, "draftId", DraftId::parse)?,
        batch_id: named(fields.batch_id, "batchId", BatchId::parse)?,
        source: SourceUrl::parse(&url).ok_or_else(wrong)?,
    })
}

fn conversation(fields: &Fields<'_>) -> Result<Option<ConversationId>, FrameError> {
    let conversation: Option<String> = optional(fields.conversation_id, "conversationId", "a text")?;
    Ok(conversation.and_then(|text| text.parse().ok()))
}

/// A client's own name; blank counts as absent.
pub(super) fn named<T>(
    raw: Option<&RawValue>,
    what: &str,
    parse: impl FnOnce(&str) -> Result<T, slipstream_domain::values::TextError>,
) -> Result<Option<T>, FrameError> {
    let text: Option<String> = optional(raw, what, "a text")?;
    Ok(text.filter(|text| !text.is_empty()).as_deref().map(parse).transpose()?)
}

fn id(fields: &Fields<'_>) -> Result<AttachmentId, FrameError> {
    required(fields.attachment_id, "attachmentId", "the id of one of your attachments")
}

fn progress(fields: &Fields<'_>) -> Result<AssetProgress, FrameError> {
    let right = "a number from 0 to 100";
    let progress: f64 = required(fields.progress, "progress", right)?;
    if !(0.0..=100.0).contains(&progress) {
        return Err(FrameError::Field(format!("progress must be {right}")));
    }
    let bytes = "a whole number of bytes";
    Ok(AssetProgress {
        progress,
        bytes_uploaded: optional(fields.bytes_uploaded, "bytesUploaded", bytes)?,
        total_bytes: optional(fields.total_bytes, "totalBytes", bytes)?,
    })
}

fn abort(fields: &Fields<'_>) -> Result<AssetWish, FrameError> {
    Ok(AssetWish::Abort(id(fields)?, echo(fields.reason)))
}

fn batch(fields: &Fields<'_>) -> Result<AssetWish, FrameError> {
    let batch = named(fields.batch_id, "batchId", BatchId::parse)?;
    let missing = || FrameError::Field("batchId is missing; it must be the id of a batch".to_owned());
    batch.map(AssetWish::Batch).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> AssetFrame {
        let fields = Fields::find(text).unwrap();
        let kind: String = required(fields.r#type, "type", "a type").unwrap();
        AssetFrame::parse(&kind, &fields).unwrap()
    }

    fn wrong(text: &str) -> String {
        parse(text).wish.unwrap_err().to_string()
    }

    #[test]
    fn a_pasted_file_is_one_whatever_its_conversation_is_called() {
        for conversation in ["new-chat", "home", ""] {
            let frame = parse(&format!(
                r#"{{"type":"asset_paste","conversationId":"{conversation}","filename":"a/b.png","mime":"image/png",
                    "size":5,"draftId":"d","batchId":"b","width":1,"metadata":{{"x":null}}}}"#
            ));
            assert_eq!((frame.kind, frame.given.draft_id.as_deref()), (AssetKind::Begin, Some("d")));
            let Ok(AssetWish::Begin(begin)) = frame.wish else { panic!("{:?}", frame.wish) };
            assert_eq!((begin.origin, begin.size, begin.conversation), (Origin::Pasted, 5, None));
            assert_eq!((begin.filename.as_str(), begin.mime.as_str()), ("b.png", "image/png"));
        }
    }

    #[test]
    fn a_wrong_field_is_named_and_what_was_given_is_kept() {
        let nameless = r#"{"type":"asset_attached","mime":"image/png","size":5,"draftId":"d"}"#;
        assert!(wrong(nameless).starts_with("filename is missing"), "{}", wrong(nameless));
        assert_eq!(parse(nameless).given.draft_id.as_deref(), Some("d"));
        let huge = r#"{"type":"asset_attached","filename":"a","mime":"image/png","size":-5}"#;
        assert!(wrong(huge).starts_with("size must be"), "{}", wrong(huge));
        let ours = r#"{"type":"asset_upload_prepare","filename":"a","mime":"image/png","size":5,"origin":"GENERATED"}"#;
        assert!(wrong(ours).starts_with("origin must be"), "{}", wrong(ours));
        assert!(wrong(r#"{"type":"asset_deleted","attachmentId":"1"}"#).starts_with("attachmentId must be"));
        assert!(wrong(r#"{"type":"asset_batch_upload"}"#).starts_with("batchId is missing"));
        let late = r#"{"type":"asset_upload_progress","attachmentId":"1","progress":101}"#;
        assert!(wrong(late).starts_with("progress must be"));
    }

    #[test]
    fn a_file_is_fetched_by_a_url_without_a_user() {
        let frame = |url: &str| {
            let text = format!(r#"{{"type":"asset_fetch_request","draftId":"d","sourceUrl":{url}}}"#);
            FetchFrame::parse(&Fields::find(&text).unwrap())
        };
        assert!(frame(r#""https://example.com/a.png""#).source.is_ok());
        for wrong in [
            r#""file:///etc/passwd""#,
            r#""http://ann:secret@example.com/""#,
            r#""example.com""#,
            "7",
            "null",
        ] {
            let FetchFrame { given, source } = frame(wrong);
            let error = source.unwrap_err().to_string();
            assert!(
                error.starts_with("sourceUrl") && error.contains("must be an http or https URL"),
                "{error}"
            );
            assert_eq!(given.draft_id.as_deref(), Some("d"));
        }
    }

    #[test]
    fn a_whole_file_in_a_frame_may_be_a_data_url() {
        for base64 in ["aGVsbG8=", "data:text/plain;base64,aGVsbG8="] {
            let frame = parse(&format!(
                r#"{{"type":"asset_upload_request","filename":"a.txt","contentType":"text/plain","base64":"{base64}"}}"#
            ));
            let Ok(AssetWish::Inline(begin, bytes)) = frame.wish else { panic!("{:?}", frame.wish) };
            assert_eq!((begin.size, &bytes[..]), (5, &b"hello"[..]));
        }
        let text =
            r#"{"type":"asset_upload_request","filename":"a","contentType":"text/plain","base64":"%"}"#;
        assert!(wrong(text).starts_with("base64 must be"));
    }
}
