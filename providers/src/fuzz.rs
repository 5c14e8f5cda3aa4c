//! The decoders of all formats behind one function, for the tests and for the fuzz target (`fuzz/`). Not there otherwise.
#![allow(clippy::panic, reason = "a panic is how tests and fuzz targets say what they found")]

use bytes::Bytes;
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::anthropic::MessagesDecoder;
use crate::chat_completions::ChatDecoder;
use crate::decode::{Decoder, deltas};
use crate::gemini::GeminiDecoder;
use crate::images::ImagesDecoder;
use crate::meta::LlamaDecoder;
use crate::responses::ResponsesDecoder;
use crate::{Delta, ProviderError};

/// What a body comes to.
pub type Items = Vec<Result<Delta, ProviderError>>;

/// The formats of streams: those of the vendors, by the names of their goldens' folders, and one that only pictures come in.
pub const FORMATS: [&str; 8] =
    ["openai", "gemini", "grok", "anthropic", "meta", "vercel", "compatible", "images"];

/// Decodes a body that comes in pieces. More than `max` bytes without an event are given up.
///
/// # Panics
/// There is no such format.
pub fn decoded<'a>(format: &str, pieces: impl IntoIterator<Item = &'a [u8]>, max: usize) -> Items {
    let pieces: Vec<_> = pieces.into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    match format {
        "openai" | "grok" => all(pieces, ResponsesDecoder::default(), max),
        "gemini" => all(pieces, GeminiDecoder::default(), max),
        "anthropic" => all(pieces, MessagesDecoder::default(), max),
        "meta" => all(pieces, LlamaDecoder::default(), max),
        "vercel" | "compatible" => all(pieces, ChatDecoder::default(), max),
        "images" => all(pieces, ImagesDecoder, max),
        other => panic!("{other} has no decoder"),
    }
}

fn all(pieces: Vec<Result<Bytes, ProviderError>>, decoder: impl Decoder, max: usize) -> Items {
    block_on(deltas(stream::iter(pieces), decoder, max).collect())
}

/// Decodes `bytes` whole and cut in two.
///
/// # Panics
/// The two differ, or an answer has not exactly one end, at its end.
pub fn check(format: usize, cut: usize, bytes: &[u8]) {
    let format = FORMATS[format % FORMATS.len()];
    let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
    let whole = decoded(format, [bytes], usize::MAX);
    assert_eq!(decoded(format, [head, tail], usize::MAX), whole, "{format}: the cut matters");
    let is_end = |item: &Result<Delta, ProviderError>| matches!(item, Err(_) | Ok(Delta::Finish { .. }));
    assert_eq!(whole.iter().position(is_end), whole.len().checked_sub(1), "{format}: one end, at the end");
}
