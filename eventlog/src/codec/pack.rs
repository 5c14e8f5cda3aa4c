//! The personal half as it is before sealing: one byte that says how, then the content.

use std::{borrow::Cow, io::Read};

use crate::MAX_APPEND_BYTES;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Below this, compressing costs more time than it saves space.
const COMPRESS_ABOVE: usize = 1024;

/// Packs `content`, compressed if it is over 1 KiB and that makes it smaller.
pub(crate) fn pack(content: &[u8]) -> Vec<u8> {
    let compressed = if content.len() > COMPRESS_ABOVE {
        zstd::bulk::compress(content, zstd::DEFAULT_COMPRESSION_LEVEL).ok()
    } else {
        None
    };
    let (tag, body) = match compressed {
        Some(smaller) if smaller.len() < content.len() => (ZSTD, Cow::Owned(smaller)),
        Some(_) | None => (PLAIN, Cow::Borrowed(content)),
    };
    let mut packed = Vec::with_capacity(1 + body.len());
    packed.push(tag);
    packed.extend_from_slice(&body);
    packed
}

/// Undoes [`pack`]; none if the bytes are not of its making. Content is never larger than an append may be.
pub(crate) fn unpack(mut packed: Vec<u8>) -> Option<Vec<u8>> {
    match *packed.first()? {
        PLAIN => {
            packed.remove(0);
            Some(packed)
        }
        ZSTD => {
            let mut content = Vec::new();
            let decoder = zstd::Decoder::new(packed.get(1..)?).ok()?;
            decoder.take(MAX_APPEND_BYTES as u64 + 1).read_to_end(&mut content).ok()?;
            (content.len() <= MAX_APPEND_BYTES).then_some(content)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn content_of_any_size_comes_back() {
        for size in [0, 1, 1023, 1024, 1025, 100_000] {
            let content: Vec<u8> = (0..size).map(|i| u8::try_from(i % 7).unwrap()).collect();
            assert_eq!(unpack(pack(&content)).unwrap(), content);
        }
    }

    #[test]
    fn only_content_over_a_kibibyte_is_compressed() {
        assert_eq!(pack(&[b'a'; 1024]).len(), 1025);
        assert!(pack(&[b'a'; 1025]).len() < 100);
    }

    #[test]
    fn what_nobody_packed_is_no_content() {
        for bytes in [&[][..], &[2, 1], &[1, 1, 2, 3]] {
            assert_eq!(unpack(bytes.to_vec()), None);
        }
    }

    #[test]
    fn a_bomb_is_no_content() {
        let bomb = zstd::bulk::compress(&vec![0; 4 * MAX_APPEND_BYTES], 3).unwrap();
        assert_eq!(unpack([vec![1], bomb].concat()), None);
    }
}
