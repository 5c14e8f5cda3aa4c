//! Batches deltas into chunks. Knows nothing of clocks or queues; the caller says when time is up.
//!
//! The one place where deltas get their numbers: gapless from 1, each delta once, in the order in which they came.

use slipstream_domain::{AttachmentId, Part, Run, Seq};

/// The longest delta in bytes; a longer one is cut into several, so that every record of the log can take one.
const LONGEST: usize = 16 * 1024;

/// Numbered deltas that wait to be taken.
#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    last: Seq,
    said: u64,
    thought: u64,
    waiting: Vec<Run>,
}

impl Coalescer {
    /// More of the answer. Nothing for an empty text.
    pub(crate) fn say(&mut self, text: &str) {
        self.said = self.number(Part::Text, self.said, text);
    }

    /// More of the thinking before it. Nothing for an empty text.
    pub(crate) fn think(&mut self, text: &str) {
        self.thought = self.number(Part::Thinking, self.thought, text);
    }

    /// A picture.
    pub(crate) fn picture(&mut self, attachment: AttachmentId) {
        self.last = self.last.next();
        self.waiting.push(Run::image(self.last, attachment));
    }

    /// Time is up: all that waits, neighbours of one part as one run.
    pub(crate) fn take(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.waiting)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.waiting.iter().map(|run| run.text.len()).sum()
    }

    /// Bytes of the answer and of its thinking up to now.
    pub(crate) fn produced(&self) -> u64 {
        self.said + self.thought
    }

    /// The last number given.
    pub(crate) fn last(&self) -> Seq {
        self.last
    }

    /// Numbers `text`, which begins at `offset` of its part; answers where the part ends now.
    fn number(&mut self, part: Part, mut offset: u64, mut text: &str) -> u64 {
        while !text.is_empty() {
            let (delta, rest) = text.split_at(text.floor_char_boundary(LONGEST));
            self.last = self.last.next();
            let run = Run::delta(self.last, part, offset, delta.to_owned());
            offset = run.end_offset();
            match self.waiting.last_mut() {
                Some(last) => {
                    if let Err(run) = last.try_merge(run) {
                        self.waiting.push(run);
                    }
                }
                None => self.waiting.push(run),
            }
            text = rest;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipstream_domain::run::merged;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Say(String),
        Think(String),
        TimeIsUp,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let text = "[aé漢🦀]{0,6}";
        let step = prop_oneof![
            4 => text.prop_map(Step::Say),
            2 => text.prop_map(Step::Think),
            1 => Just(Step::TimeIsUp),
        ];
        proptest::collection::vec(step, 0..60)
    }

    fn text_of(runs: &[Run], part: Part) -> String {
        runs.iter().filter(|run| run.part == part).map(|run| run.text.as_str()).collect()
    }

    proptest! {
        #[test]
        fn however_deltas_are_cut_and_taken_numbers_have_no_gap_and_no_text_is_lost(steps in steps()) {
            let mut coalescer = Coalescer::default();
            let (mut said, mut thought, mut deltas) = (String::new(), String::new(), 0);
            let mut taken = Vec::new();
            for step in &steps {
                match step {
                    Step::Say(text) => {
                        coalescer.say(text);
                        said += text;
                        deltas += u64::from(!text.is_empty());
                    }
                    Step::Think(text) => {
                        coalescer.think(text);
                        thought += text;
                        deltas += u64::from(!text.is_empty());
                    }
                    Step::TimeIsUp => taken.extend(coalescer.take()),
                }
            }
            taken.extend(coalescer.take());
            prop_assert!(coalescer.is_empty());
            prop_assert_eq!(coalescer.last(), Seq(deltas));
            let (mut next, mut ends) = (Seq(1), [0u64, 0]);
            for run in &taken {
                prop_assert_eq!(run.check(), Ok(()));
                prop_assert_eq!(run.from, next);
                let end = &mut ends[usize::from(run.part == Part::Thinking)];
                prop_assert_eq!(run.start_offset, *end);
                (next, *end) = (run.to().next(), run.end_offset());
            }
            prop_assert_eq!(next, Seq(deltas).next());
            prop_assert_eq!(text_of(&taken, Part::Text), said);
            prop_assert_eq!(text_of(&taken, Part::Thinking), thought);
        }

        #[test]
        fn when_it_is_taken_makes_no_difference_to_what_is_numbered(steps in steps()) {
            let runs = |stops: bool| {
                let mut coalescer = Coalescer::default();
                let mut taken = Vec::new();
                for step in &steps {
                    match step {
                        Step::Say(text) => coalescer.say(text),
                        Step::Think(text) => coalescer.think(text),
                        Step::TimeIsUp if stops => taken.extend(coalescer.take()),
                        Step::TimeIsUp => {}
                    }
                }
                taken.extend(coalescer.take());
                merged(taken)
            };
            prop_assert_eq!(runs(true), runs(false));
        }
    }

    #[test]
    fn a_delta_too_long_for_a_record_becomes_several_and_no_character_is_split() {
        let mut coalescer = Coalescer::default();
        let text = "漢".repeat(LONGEST);
        coalescer.say(&text);
        let runs = coalescer.take();
        assert_eq!((runs.len(), &runs[0].text, runs[0].check()), (1, &text, Ok(())));
        assert_eq!(coalescer.last(), Seq(4), "three bytes a character, {LONGEST} at most a delta");
    }

    #[test]
    fn thinking_and_text_never_share_a_run() {
        let mut coalescer = Coalescer::default();
        coalescer.think("hm");
        coalescer.say("well");
        coalescer.say(", yes");
        let parts: Vec<_> = coalescer.take().iter().map(|run| (run.part, run.from, run.to())).collect();
        assert_eq!(parts, [(Part::Thinking, Seq(1), Seq(1)), (Part::Text, Seq(2), Seq(3))]);
    }
}
