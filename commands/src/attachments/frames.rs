//! Counts the pictures in an animation by walking over its blocks. Decodes nothing, and takes any bytes.

use image::ImageFormat;

/// How many pictures follow each other in a file; `None` when its blocks do not fit together.
pub(super) fn frames(bytes: &[u8], format: ImageFormat) -> Option<u32> {
    if format == ImageFormat::Gif {
        gif(bytes)
    } else if format == ImageFormat::Png {
        let control = chunks(bytes, 8, Order::Png).find(|(name, _)| *name == *b"acTL");
        control.map_or(Some(1), |(_, body)| Some(u32::from_be_bytes(*body.first_chunk()?).max(1)))
    } else if format == ImageFormat::WebP {
        let count = chunks(bytes, 12, Order::Riff).filter(|(name, _)| *name == *b"ANMF").count();
        u32::try_from(count.max(1)).ok()
    } else {
        Some(1)
    }
}

/// How a format writes its chunks.
#[derive(Clone, Copy)]
enum Order {
    /// Length, name, body, checksum (RFC 2083, 3.2).
    Png,
    /// Name, length (little-endian), body, filled to an even length.
    Riff,
}

/// The chunks from `at` on, each with its name and what there is of its body.
fn chunks(bytes: &[u8], at: usize, order: Order) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(at..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first_chunk::<4>()?;
        let (second, body) = after.split_first_chunk::<4>()?;
        let (name, length, behind) = match order {
            Order::Png => (*second, u32::from_be_bytes(*first), 4),
            Order::Riff => (*first, u32::from_le_bytes(*second), u32::from_le_bytes(*second) as usize % 2),
        };
        let length = length as usize;
        rest = body.get(length.saturating_add(behind)..).unwrap_or_default();
        Some((name, body.get(..length).unwrap_or(body)))
    })
}

/// `GIF89a`, 17 to 27: a screen, then blocks, each a picture or an extension, to the trailer.
fn gif(bytes: &[u8]) -> Option<u32> {
    let mut rest = bytes.get(13..)?.get(color_table(*bytes.get(10)?)..)?;
    let mut count = 0;
    loop {
        match *rest.first()? {
            b',' => {
                let table = color_table(*rest.get(9)?);
                // The picture's place and size, its colours, the size of its codes.
                rest = sub_blocks(rest.get(10 + table + 1..)?)?;
                count += 1;
            }
            b'!' => rest = sub_blocks(rest.get(2..)?)?,
            b';' => return Some(count),
            _ => return None,
        }
    }
}

/// Bytes of a table of colours, by the flags that announce it.
fn color_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What follows sub-blocks and their terminator.
fn sub_blocks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let length = usize::from(*rest.first()?);
        rest = rest.get(1 + length..)?;
        if length == 0 {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::codecs::gif::GifEncoder;
    use image::{Frame, RgbaImage};

    use super::*;

    fn animation(count: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = GifEncoder::new(&mut bytes);
        encoder.encode_frames((0..count).map(|_| Frame::new(RgbaImage::new(9, 9)))).unwrap();
        drop(encoder);
        bytes.into_inner()
    }

    #[test]
    fn the_frames_of_an_animation_are_counted() {
        for count in [1, 3] {
            assert_eq!(frames(&animation(count), ImageFormat::Gif), Some(count));
        }
        let png = [&b"\x89PNG\r\n\x1a\n"[..], b"\0\0\0\x08acTL\0\0\0\x07\0\0\0\0crc!"].concat();
        assert_eq!(frames(&png, ImageFormat::Png), Some(7));
        let webp = [&b"RIFF\0\0\0\0WEBP"[..], b"ANMF\x03\0\0\0abc\0", b"ANMF\0\0\0\0"].concat();
        assert_eq!(frames(&webp, ImageFormat::WebP), Some(2));
    }

    #[test]
    fn any_bytes_come_to_an_end() {
        let gif = animation(2);
        for end in 0..gif.len() {
            assert_eq!(frames(&gif[..end], ImageFormat::Gif), None);
        }
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            for length in 0..40 {
                assert!(frames(&vec![0xff; length], format).is_some());
            }
        }
    }
}
