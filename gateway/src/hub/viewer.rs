//! Where a reader of one reply stands, and what a piece of output means to it. Pure: compares (epoch, seq), never seq
//! alone (`04-streaming-and-resume`, "Numbers").

use slipstream_domain::{Epoch, Run, Seq};

/// The place of a reader: it has everything up to `seq` as `epoch` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Viewer {
    epoch: Epoch,
    seq: Seq,
}

/// What a piece of output means to a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It has it, or it is of an owner that has been replaced.
    Old,
    /// This is what comes next; the reader stands after it now.
    Next(Run),
    /// Something before it is missing; the reader stands where it stood.
    Gap,
    /// A new owner's. How far the reader's text still holds only the log can tell; it stands where it stood.
    NewEpoch,
}

impl Viewer {
    /// A reader that has everything up to `seq`.
    pub(crate) const fn at(epoch: Epoch, seq: Seq) -> Self {
        Self { epoch, seq }
    }

    pub(crate) const fn epoch(self) -> Epoch {
        self.epoch
    }

    pub(crate) const fn seq(self) -> Seq {
        self.seq
    }

    /// Takes output in, cut to what is new.
    pub(crate) fn take(&mut self, epoch: Epoch, run: Run) -> Step {
        if epoch < self.epoch {
            return Step::Old;
        }
        if epoch > self.epoch {
            return Step::NewEpoch;
        }
        if run.from > self.seq.next() {
            return Step::Gap;
        }
        match run.after(self.seq) {
            None => Step::Old,
            Some(new) => {
                self.seq = new.to();
                Step::Next(new)
            }
        }
    }

    /// Whether an owner that stands at (epoch, seq) has something this reader has not.
    pub(crate) fn is_behind(self, epoch: Epoch, seq: Seq) -> bool {
        epoch > self.epoch || (epoch == self.epoch && seq > self.seq)
    }

    /// Goes over to a later epoch, in which the reader's text holds up to `cut`.
    pub(crate) fn reset(&mut self, epoch: Epoch, cut: Seq) {
        *self = Self { epoch, seq: cut };
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::Part;

    use super::*;

    fn run(from: u64, text: &str) -> Run {
        let mut run = Run::delta(Seq(from), Part::Text, from - 1, text[..1].into());
        for (n, byte) in (1..).zip(text[1..].chars()) {
            run.try_merge(Run::delta(Seq(from + n), Part::Text, from - 1 + n, byte.into())).unwrap();
        }
        run
    }

    fn at(epoch: u32, seq: u64) -> Viewer {
        Viewer::at(Epoch(epoch), Seq(seq))
    }

    #[test]
    fn what_comes_next_is_taken() {
        let mut viewer = at(1, 0);
        assert_eq!(viewer.take(Epoch(1), run(1, "abc")), Step::Next(run(1, "abc")));
        assert_eq!(viewer, at(1, 3));
    }

    #[test]
    fn what_is_known_is_dropped_and_what_overlaps_is_cut() {
        let mut viewer = at(1, 2);
        assert_eq!(viewer.take(Epoch(1), run(1, "ab")), Step::Old);
        let Step::Next(new) = viewer.take(Epoch(1), run(1, "abcd")) else { panic!() };
        assert_eq!((new.from, new.text.as_str(), viewer), (Seq(3), "cd", at(1, 4)));
    }

    #[test]
    fn a_gap_moves_nothing() {
        let mut viewer = at(1, 2);
        assert_eq!(viewer.take(Epoch(1), run(4, "d")), Step::Gap);
        assert_eq!(viewer, at(1, 2));
    }

    #[test]
    fn a_lower_epoch_is_dropped_and_a_higher_one_asks_for_the_log() {
        let mut viewer = at(2, 3);
        assert_eq!(viewer.take(Epoch(1), run(4, "d")), Step::Old);
        assert_eq!(viewer.take(Epoch(3), run(2, "x")), Step::NewEpoch);
        viewer.reset(Epoch(3), Seq(1));
        assert!(matches!(viewer.take(Epoch(3), run(2, "x")), Step::Next(_)));
    }

    #[test]
    fn a_beat_ahead_means_something_is_missing() {
        assert!(at(1, 2).is_behind(Epoch(1), Seq(3)) && at(1, 2).is_behind(Epoch(2), Seq(0)));
        assert!(!at(1, 2).is_behind(Epoch(1), Seq(2)) && !at(2, 0).is_behind(Epoch(1), Seq(9)));
    }
}
