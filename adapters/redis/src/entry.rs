//! One output as bytes: an entry of a stream. Small, since a reply is mostly short deltas: a delta costs its text and
//! one byte beside what Redis needs for the entry.
//!
//! Version 1, numbers as LEB128:
//! `1, part, thinking ms + 1 (0: none), start offset, count, count × (length of a delta), text | 16 bytes of an image's id`.
//! The entry's id holds the number of the last delta; the first follows from the count.

use slipstream_domain::{AttachmentId, Part, Run, Seq};
use slipstream_projections::Output;
use uuid::Uuid;

const VERSION: u8 = 1;

/// An entry that this version did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

pub(crate) fn id(output: &Output) -> String {
    format!("{}-0", output.run.to().0)
}

pub(crate) fn seq(id: &str) -> Result<Seq, Unreadable> {
    let seq = id.strip_suffix("-0").ok_or(Unreadable)?;
    seq.parse().map(Seq).map_err(|_| Unreadable)
}

pub(crate) fn encode(output: &Output) -> Vec<u8> {
    let run = &output.run;
    let mut bytes = Vec::with_capacity(run.text.len() + run.ends.len() + 32);
    bytes.push(VERSION);
    bytes.push(match run.part {
        Part::Text => 0,
        Part::Thinking => 1,
        Part::Image => 2,
    });
    put(&mut bytes, output.thinking_ms.map_or(0, |ms| ms.saturating_add(1)));
    put(&mut bytes, run.start_offset);
    put(&mut bytes, run.count());
    let mut begin = 0;
    for end in &run.ends {
        put(&mut bytes, u64::from(end.saturating_sub(begin)));
        begin = *end;
    }
    match run.attachment {
        Some(attachment) => bytes.extend(attachment.as_uuid().as_bytes()),
        None => bytes.extend(run.text.as_bytes()),
    }
    bytes
}

pub(crate) fn decode(to: Seq, bytes: &[u8]) -> Result<Output, Unreadable> {
    let [VERSION, part, rest @ ..] = bytes else { return Err(Unreadable) };
    let mut rest = rest;
    let part = match part {
        0 => Part::Text,
        1 => Part::Thinking,
        2 => Part::Image,
        3.. => return Err(Unreadable),
    };
    let thinking_ms = take(&mut rest)?.checked_sub(1);
    let start_offset = take(&mut rest)?;
    let count = take(&mut rest)?;
    let from = Seq((to.0 + 1).checked_sub(count).ok_or(Unreadable)?);
    let mut ends = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(rest.len()));
    let mut end = 0u32;
    for _ in 0..count {
        let length = u32::try_from(take(&mut rest)?).map_err(|_| Unreadable)?;
        end = end.checked_add(length).ok_or(Unreadable)?;
        ends.push(end);
    }
    let (text, attachment) = match part {
        Part::Text | Part::Thinking => (std::str::from_utf8(rest).map_err(|_| Unreadable)?.to_owned(), None),
        Part::Image => {
            let id = Uuid::from_slice(rest).map_err(|_| Unreadable)?;
            (String::new(), Some(AttachmentId::from_uuid(id)))
        }
    };
    let run = Run { from, part, start_offset, ends, text, attachment };
    run.check().map_err(|_| Unreadable)?;
    Ok(Output { run, thinking_ms })
}

#[allow(clippy::cast_possible_truncation, reason = "masked to seven bits")]
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Unreadable)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipstream_domain::run::merged;

    use super::*;

    fn outputs() -> impl Strategy<Value = Output> {
        let deltas = proptest::collection::vec("\\PC{0,6}", 1..20);
        (deltas, 1..u64::MAX / 2, 0..u64::MAX / 2, any::<bool>(), any::<Option<u64>>()).prop_map(
            |(deltas, from, mut offset, thinking, thinking_ms)| {
                let part = if thinking { Part::Thinking } else { Part::Text };
                let runs = deltas.into_iter().zip(from..).map(|(text, seq)| {
                    let run = Run::delta(Seq(seq), part, offset, text);
                    offset = run.end_offset();
                    run
                });
                let run = merged(runs).pop().unwrap();
                Output { run, thinking_ms: thinking_ms.map(|ms| ms / 2) }
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(output in outputs()) {
            let to = seq(&id(&output)).unwrap();
            prop_assert_eq!(decode(to, &encode(&output)), Ok(output));
        }

        #[test]
        fn any_other_bytes_are_unreadable_or_a_sound_run(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(output) = decode(Seq(9), &bytes) {
                prop_assert_eq!(output.run.check(), Ok(()));
            }
        }
    }

    #[test]
    fn an_image_is_its_attachment() {
        let run = Run::image(Seq(3), AttachmentId::from_uuid(Uuid::from_u128(7)));
        let output = Output { run, thinking_ms: None };
        assert_eq!(decode(Seq(3), &encode(&output)), Ok(output));
    }

    #[test]
    fn a_delta_costs_its_text_and_one_byte() {
        let one = Output { run: Run::delta(Seq(1), Part::Text, 0, "four".into()), thinking_ms: None };
        assert_eq!(encode(&one).len(), 6 + 4);
        let mut ten = one.clone();
        for n in 1..10 {
            ten.run.try_merge(Run::delta(Seq(n + 1), Part::Text, n * 4, "four".into())).unwrap();
        }
        assert_eq!(encode(&ten).len(), 5 + 10 * 5);
    }
}
