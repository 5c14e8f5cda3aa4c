//! Looks into a stored file: what its first bytes are, what a picture's header says, how a text begins, what a document says
//! of itself. Reads no more than that takes, and decodes no pixel.

use std::io::Cursor;
use std::time::Duration;

use futures::TryStreamExt;
use image::metadata::Orientation;
use image::{ColorType, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader};
use infer::MatcherType;
use slipstream_domain::attachment::{FileClass, Sniffed};
use slipstream_domain::values::clean_text;
use slipstream_domain::{ImageDetails, MediaType};
use tokio::time::timeout;

use super::frames::frames;
use super::{AttachmentError, Attachments};
use crate::CommandError;
use crate::ports::{Blob, BlobError, BlobMeta, ByteRange, DocumentFacts};

/// Enough to know a file by.
const HEAD: u64 = 8 * 1024;
/// How much of a text is kept for people and models to see.
const PREVIEW: usize = 4 * 1024;
/// How long a document waits for its turn to be read: whoever uploaded it waits too.
const TURN: Duration = Duration::from_secs(5);
/// A header that asks for more memory is no picture's.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// What was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) sniffed: Sniffed,
    pub(super) image: Option<ImageDetails>,
    pub(super) pages: Option<u32>,
    pub(super) text_preview: Option<String>,
}

impl Look {
    /// No more than that.
    pub(super) fn of(sniffed: Sniffed) -> Self {
        Self { sniffed, image: None, pages: None, text_preview: None }
    }
}

impl Attachments {
    /// Looks into the version of a blob that `meta` is of.
    pub(super) async fn look(&self, blob: &Blob, meta: &BlobMeta) -> Result<Look, AttachmentError> {
        let class = FileClass::of(&meta.mime);
        // A picture's frames are counted to its end. How large one may be is limited.
        let length = if class == Some(FileClass::Image) { meta.size } else { meta.size.min(HEAD) };
        let Some(last) = length.checked_sub(1) else { return Ok(look(&[], &meta.mime, class)) };
        let turn =
            self.inspections.acquire().await.map_err(|error| CommandError::Inner(error.to_string()))?;
        let read = self.store.get(blob, Some(ByteRange::Between(0, last))).await?;
        if read.meta.etag != meta.etag {
            // Stored again in between, where there are no versions.
            return Err(CommandError::Contended.into());
        }
        let room = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let bytes = read.bytes.try_fold(room, async |mut bytes, piece| {
            bytes.extend_from_slice(&piece);
            Ok(bytes)
        });
        let (bytes, mime) = (bytes.await.map_err(BlobError::Source)?, meta.mime.clone());
        let looking = tokio::task::spawn_blocking(move || look(&bytes, &mime, class));
        let look = looking.await.map_err(|error| CommandError::Inner(error.to_string()))?;
        drop(turn);
        if look.sniffed == pdf() && class == Some(FileClass::Document) {
            return self.read(blob, look).await;
        }
        Ok(look)
    }

    /// Adds what a document says of itself. When others are read for long, it says nothing.
    async fn read(&self, blob: &Blob, look: Look) -> Result<Look, AttachmentError> {
        let Some(documents) = &self.documents else { return Ok(look) };
        let Ok(turn) = timeout(TURN, self.readings.acquire()).await else { return Ok(look) };
        let _turn = turn.map_err(|error| CommandError::Inner(error.to_string()))?;
        let bytes = self.store.get(blob, None).await?.bytes;
        let DocumentFacts { pages, text } = documents.read_pdf(bytes, PREVIEW).await;
        Ok(Look { pages, text_preview: text.map(clean_text), ..look })
    }
}

fn pdf() -> Sniffed {
    MediaType::parse("application/pdf").map_or(Sniffed::Unknown, Sniffed::Known)
}

fn look(bytes: &[u8], mime: &MediaType, class: Option<FileClass>) -> Look {
    let sniffed = sniff(bytes);
    let image = (class == Some(FileClass::Image)).then(|| probe(bytes, mime)).flatten();
    let text_preview = (sniffed == Sniffed::Text).then(|| preview(bytes));
    Look { image, text_preview, ..Look::of(sniffed) }
}

/// What the first bytes are of. No file that can run is text, but a script is.
pub(super) fn sniff(bytes: &[u8]) -> Sniffed {
    let head = &bytes[..bytes.len().min(usize::try_from(HEAD).unwrap_or(usize::MAX))];
    match infer::get(head) {
        Some(kind) if matches!(kind.matcher_type(), MatcherType::Audio | MatcherType::Video) => {
            Sniffed::Media
        }
        Some(kind) if kind.matcher_type() != MatcherType::Text => {
            MediaType::parse(kind.mime_type()).map_or(Sniffed::Unknown, Sniffed::Known)
        }
        Some(_) | None if is_text(head) => Sniffed::Text,
        Some(_) | None => Sniffed::Unknown,
    }
}

/// UTF-8, perhaps cut within its last character, without control characters that no text has.
fn is_text(head: &[u8]) -> bool {
    let text = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty()
        && !text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b'))
}

fn preview(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(PREVIEW)];
    let whole = str::from_utf8(cut).map_or_else(|error| error.valid_up_to(), str::len);
    clean_text(String::from_utf8_lossy(&cut[..whole]).into_owned())
}

/// What a picture says of itself; `None` when it is none of the type it should be.
fn probe(bytes: &[u8], mime: &MediaType) -> Option<ImageDetails> {
    let format = ImageFormat::from_mime_type(mime.as_str())?;
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.exif_metadata().ok().flatten();
    Some(ImageDetails {
        width,
        height,
        format: format.extensions_str().first().map(|name| name.replace("jpg", "jpeg"))?,
        orientation: orientation
            .and_then(|exif| Orientation::from_exif_chunk(&exif))
            .map(Orientation::to_exif),
        has_alpha: decoder.color_type().has_alpha(),
        frames: frames(bytes, format),
        color: Some(color(decoder.original_color_type(), decoder.color_type()).to_owned()),
    })
}

fn color(original: ExtendedColorType, decoded: ColorType) -> &'static str {
    if matches!(original, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16) {
        "cmyk"
    } else if decoded.has_color() {
        "rgb"
    } else {
        "gray"
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Rgba};

    use super::*;

    fn mime(text: &str) -> MediaType {
        MediaType::parse(text).unwrap()
    }

    fn picture(format: ImageFormat, width: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let pixels = ImageBuffer::from_pixel(width, 20, Rgba([1_u8, 2, 3, 4]));
        let picture = DynamicImage::ImageRgba8(pixels);
        let flat = DynamicImage::ImageRgb8(picture.to_rgb8());
        let picture = if format == ImageFormat::Jpeg { flat } else { picture };
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_tells_its_size_its_colours_and_its_frames() {
        for (format, text, has_alpha) in [
            (ImageFormat::Png, "image/png", true),
            (ImageFormat::Jpeg, "image/jpeg", false),
            (ImageFormat::Gif, "image/gif", true),
            (ImageFormat::WebP, "image/webp", true),
        ] {
            let seen = look(&picture(format, 30), &mime(text), Some(FileClass::Image));
            assert_eq!(seen.sniffed, Sniffed::Known(mime(text)));
            let image = seen.image.unwrap();
            assert_eq!((image.width, image.height, image.frames), (30, 20, Some(1)), "{text}");
            assert_eq!((image.has_alpha, image.color.as_deref()), (has_alpha, Some("rgb")), "{text}");
            assert_eq!(image.format, text.strip_prefix("image/").unwrap());
        }
    }

    #[test]
    fn a_picture_is_not_one_of_another_type_and_half_a_header_is_none() {
        let png = picture(ImageFormat::Png, 30);
        assert!(probe(&png, &mime("image/gif")).is_none());
        assert!(probe(&png[..20], &mime("image/png")).is_none());
        assert!(probe(b"", &mime("image/webp")).is_none());
    }

    #[test]
    fn a_bomb_is_measured_and_not_decoded() {
        // A PNG of 60000 x 60000 pixels in 45 bytes: its header, and nothing behind.
        let mut png = picture(ImageFormat::Png, 30);
        png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let seen = probe(&png, &mime("image/png"));
        assert!(seen.is_none_or(|image| (image.width, image.height) == (60_000, 60_000)));
    }

    /// As PNG has it (RFC 2083, 15).
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(
                crc ^ u32::from(*byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
            )
        })
    }

    #[test]
    fn what_can_run_is_no_text_and_no_picture() {
        let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0";
        let exe = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0@\0\0\0\0\0\0\0";
        for program in [&elf[..], &exe[..]] {
            let seen = look(program, &mime("image/png"), Some(FileClass::Image));
            assert!(!matches!(&seen.sniffed, Sniffed::Text | Sniffed::Media), "{:?}", seen.sniffed);
            assert_ne!(seen.sniffed, Sniffed::Known(mime("image/png")));
            assert_eq!((seen.image, seen.text_preview), (None, None));
        }
    }

    #[test]
    fn text_is_what_reads_as_text_and_its_beginning_is_kept() {
        for text in ["a", "Grüße\r\n\tund Küsse", "#!/bin/sh\nrm", "{\"a\":1}", "<html></html>"] {
            assert_eq!(sniff(text.as_bytes()), Sniffed::Text, "{text}");
        }
        for other in [&b"a\0b"[..], b"\xff\xfe", b"", b"\xc3(", b"ok\x01"] {
            assert_eq!(sniff(other), Sniffed::Unknown, "{other:?}");
        }
        let long = "ü".repeat(5000);
        let seen = look(long.as_bytes(), &mime("text/plain"), Some(FileClass::Text));
        assert_eq!(seen.text_preview.unwrap(), "ü".repeat(PREVIEW / 2));
        assert_eq!(sniff(&long.as_bytes()[..9]), Sniffed::Text, "cut within a character");
    }

    #[test]
    fn a_document_is_known_by_its_first_bytes() {
        assert_eq!(sniff(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), Sniffed::Known(mime("application/pdf")));
    }
}
