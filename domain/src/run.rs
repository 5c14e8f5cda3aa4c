//! Runs: consecutive deltas of one part of a reply, with the byte end of each, so that a reader can be served from any
//! sequence number. The same value goes over the bus, into the stream state and into the log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::AttachmentId;
use crate::values::Seq;

/// A part of a reply. Offsets count within one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the model answers.
    Text,
    /// What it thinks first.
    Thinking,
    /// An image; it has an attachment and no bytes here.
    Image,
}

/// One or more consecutive deltas of one part.
///
/// Invariants, checked by [`Run::check`] at every boundary: `ends` is not empty, does not fall, its last entry is the
/// length of `text`, and each entry is a character boundary of `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The first delta's number.
    pub from: Seq,
    /// Which part it belongs to.
    pub part: Part,
    /// Bytes (UTF-8) of that part before this run.
    pub start_offset: u64,
    /// Byte end of each delta within `text`.
    pub ends: Vec<u32>,
    /// The deltas' text, joined.
    pub text: String,
    /// The image, when the part is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<AttachmentId>,
}

/// A run that breaks its own invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run's ends must rise to the length of its text, each at a character boundary")]
pub struct MalformedRun;

impl Run {
    /// A run of one delta of text or thinking.
    #[must_use]
    pub fn delta(seq: Seq, part: Part, start_offset: u64, text: String) -> Self {
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Self { from: seq, part, start_offset, ends: vec![end], text, attachment: None }
    }

    /// A run of one image.
    #[must_use]
    pub fn image(seq: Seq, attachment: AttachmentId) -> Self {
        Self {
            from: seq,
            part: Part::Image,
            start_offset: 0,
            ends: vec![0],
            text: String::new(),
            attachment: Some(attachment),
        }
    }

    /// # Errors
    /// An invariant does not hold.
    pub fn check(&self) -> Result<(), MalformedRun> {
        let rises = self.ends.is_sorted();
        let last = self.ends.last().map(|end| *end as usize);
        let cuts = self.ends.iter().all(|end| self.text.is_char_boundary(*end as usize));
        if rises && cuts && last == Some(self.text.len()) { Ok(()) } else { Err(MalformedRun) }
    }

    /// How many deltas it covers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    /// The last delta's number.
    #[must_use]
    pub fn to(&self) -> Seq {
        Seq(self.from.0 + self.count().saturating_sub(1))
    }

    /// Bytes of the part up to and with this run.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        self.start_offset + self.text.len() as u64
    }

    /// What comes after `seq`; `None` when nothing does. The whole run when it begins after `seq`.
    #[must_use]
    pub fn after(mut self, seq: Seq) -> Option<Self> {
        if seq < self.from {
            return Some(self);
        }
        if seq >= self.to() {
            return None;
        }
        let keep = usize::try_from(seq.0 - self.from.0 + 1).ok()?;
        let cut = self.ends[keep - 1];
        self.ends.drain(..keep);
        self.ends.iter_mut().for_each(|end| *end -= cut);
        self.text.drain(..cut as usize);
        self.start_offset += u64::from(cut);
        self.from = seq.next();
        Some(self)
    }

    /// What comes up to and with `seq`; `None` when the run begins after it.
    #[must_use]
    pub fn up_to(mut self, seq: Seq) -> Option<Self> {
        if seq < self.from {
            return None;
        }
        if seq < self.to() {
            let keep = usize::try_from(seq.0 - self.from.0 + 1).ok()?;
            self.ends.truncate(keep);
            self.text.truncate(self.ends[keep - 1] as usize);
        }
        Some(self)
    }

    /// Joins `next` to this run when it is its neighbour in number, part and offset; gives it back otherwise.
    ///
    /// # Errors
    /// `next` itself, unchanged, when the two cannot be one run (an image never can).
    pub fn try_merge(&mut self, next: Self) -> Result<(), Self> {
        let neighbours = next.from == self.to().next()
            && next.part == self.part
            && self.part != Part::Image
            && next.start_offset == self.end_offset();
        let Some(base) = u32::try_from(self.text.len()).ok().filter(|_| neighbours) else {
            return Err(next);
        };
        self.ends.extend(next.ends.iter().map(|end| base + end));
        self.text.push_str(&next.text);
        Ok(())
    }
}

/// Joins neighbouring runs of one part; the order stays.
#[must_use]
pub fn merged(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        match out.last_mut() {
            Some(last) => {
                if let Err(run) = last.try_merge(run) {
                    out.push(run);
                }
            }
            None => out.push(run),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Run {
        let mut run = Run::delta(Seq(1), Part::Text, 0, "hé".into());
        run.try_merge(Run::delta(Seq(2), Part::Text, 3, "ll".into())).unwrap();
        run.try_merge(Run::delta(Seq(3), Part::Text, 5, "o".into())).unwrap();
        run
    }

    #[test]
    fn neighbours_of_one_part_become_one_run() {
        let run = hello();
        assert_eq!(
            (run.text.as_str(), run.ends.as_slice(), run.to()),
            ("héllo", [3, 5, 6].as_slice(), Seq(3))
        );
        assert_eq!(run.check(), Ok(()));
    }

    #[test]
    fn a_run_can_be_cut_after_any_delta_and_the_pieces_join_again() {
        for seq in 0..=4 {
            let head = hello().up_to(Seq(seq));
            let tail = hello().after(Seq(seq));
            assert_eq!(merged(head.into_iter().chain(tail)), vec![hello()], "cut after {seq}");
        }
    }

    #[test]
    fn a_gap_another_part_or_an_image_is_never_merged() {
        for other in [
            Run::delta(Seq(5), Part::Text, 6, "x".into()),
            Run::delta(Seq(4), Part::Thinking, 6, "x".into()),
            Run::delta(Seq(4), Part::Text, 9, "x".into()),
            Run::image(Seq(4), AttachmentId::from_uuid(uuid::Uuid::nil())),
        ] {
            assert_eq!(hello().try_merge(other.clone()), Err(other));
        }
    }

    #[test]
    fn ends_that_split_a_character_are_malformed() {
        let run = Run { ends: vec![2, 6], ..hello() };
        assert_eq!(run.check(), Err(MalformedRun));
    }
}
