//! One reader of one reply, whoever it reads for: turns what is heard live, and what the tiers below have, into what its
//! client is missing, each delta once and in order. Knows no client: who asks puts the pieces into frames.

use slipstream_commands::ports::LiveMessage;
use slipstream_domain::{Epoch, GenerationId, Part, Seq, Timestamp};
use slipstream_projections::{GenerationLog, Output};

use super::tiers::Tiers;
use super::viewer::{Step, Viewer};
use crate::meters;
use crate::protocol::Offsets;
use crate::socket::SOFT_BYTES;

/// What comes next for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A later owner went on from an earlier place: what the client has beyond it does not hold.
    Reset(Reset),
    /// Output.
    Output(Output),
}

/// Where a client's text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reset {
    /// The epoch it goes on in.
    pub(crate) epoch: Epoch,
    /// The last delta that holds.
    pub(crate) seq: Seq,
    /// Bytes of each part up to there.
    pub(crate) offset: Offsets,
}

/// A reader of one reply.
pub(crate) struct Reader {
    tiers: Tiers,
    generation: GenerationId,
    viewer: Viewer,
}

impl Reader {
    /// A reader whose client stands at `viewer`.
    pub(crate) fn new(tiers: Tiers, generation: GenerationId, viewer: Viewer) -> Self {
        Self { tiers, generation, viewer }
    }

    pub(crate) fn generation(&self) -> GenerationId {
        self.generation
    }

    /// Where the client stands once it has all that was given.
    pub(crate) fn viewer(&self) -> Viewer {
        self.viewer
    }

    /// The client does not get what was given after `seq` of this epoch: it will be given again.
    pub(crate) fn back_to(&mut self, seq: Seq) {
        self.viewer.reset(self.viewer.epoch(), seq);
    }

    /// What a live message leads to; nothing when it is of another reply. What is missing before it is found first; what
    /// cannot be found now is found when more output, or a beat, tells of it again.
    pub(crate) async fn live(&mut self, message: &LiveMessage, now: Timestamp) -> Vec<Piece> {
        match message {
            LiveMessage::Output { generation, epoch, run, thinking_ms, made_at }
                if *generation == self.generation =>
            {
                let (mut pieces, mut step) = (Vec::new(), self.viewer.take(*epoch, run.clone()));
                if matches!(step, Step::Gap | Step::NewEpoch) {
                    pieces = self.catch_up(*epoch, Seq(run.from.0.saturating_sub(1))).await;
                    step = self.viewer.take(*epoch, run.clone());
                }
                if let Step::Next(run) = step {
                    meters::added_latency(now.since(*made_at));
                    push(&mut pieces, Output { run, thinking_ms: *thinking_ms });
                }
                pieces
            }
            LiveMessage::Beat { generation, epoch, seq }
                if *generation == self.generation && self.viewer.is_behind(*epoch, *seq) =>
            {
                self.catch_up(*epoch, *seq).await
            }
            LiveMessage::Output { .. }
            | LiveMessage::Beat { .. }
            | LiveMessage::Cancel { .. }
            | LiveMessage::SignedOut { .. }
            | LiveMessage::SettingsUpdated { .. }
            | LiveMessage::ApiKeyUpdated { .. }
            | LiveMessage::Typing { .. }
            | LiveMessage::File { .. } => Vec::new(),
        }
    }

    /// What is missing, as far as it can be found now. `heard` is the newest epoch heard of, `awaited` the newest delta.
    pub(crate) async fn catch_up(&mut self, heard: Epoch, awaited: Seq) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if let Err(error) =
            self.tiers.fill(self.generation, (heard, awaited), &mut self.viewer, &mut pieces).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, generation = %self.generation, "output is missing");
        }
        pieces
    }

    /// The same when the log has been read already.
    pub(crate) async fn take_in(&mut self, told: &GenerationLog) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.tiers.fill_from(told, self.generation, &mut self.viewer, &mut pieces).await;
        pieces
    }
}

/// Adds output, as part of the last piece where it is its neighbour.
pub(super) fn push(pieces: &mut Vec<Piece>, output: Output) {
    let rest = match pieces.last_mut() {
        Some(Piece::Output(last)) => match last.try_merge(output) {
            Ok(()) => return,
            Err(output) => output,
        },
        Some(Piece::Reset(_)) | None => output,
    };
    pieces.push(Piece::Output(rest));
}

/// Output in pieces that fit behind what a slow client has not taken yet.
pub(super) fn frames_of(output: Output) -> Vec<Output> {
    let Output { run, thinking_ms } = output;
    let (mut frames, mut rest) = (Vec::new(), Some(run));
    while let Some(run) = rest.take() {
        let fits = run.ends.partition_point(|end| *end as usize <= SOFT_BYTES).max(1);
        let last = Seq(run.from.0 + fits as u64 - 1);
        if last < run.to() {
            rest = run.clone().after(last);
        }
        frames.extend(run.up_to(last).map(|run| Output { run, thinking_ms }));
    }
    frames
}

/// Bytes of each part up to and with `seq`; `None` when `outputs`, which begin with the first delta, do not reach it.
pub(super) fn offsets_at(outputs: &[Output], seq: Seq) -> Option<Offsets> {
    let mut offset = Offsets::default();
    if outputs.last().map_or(Seq::START, |last| last.run.to()) < seq {
        return None;
    }
    for Output { run, .. } in outputs {
        let count = seq.next().0.saturating_sub(run.from.0).min(run.count());
        let Some(end) = usize::try_from(count).ok().and_then(|count| run.ends.get(count.checked_sub(1)?))
        else {
            break;
        };
        let end = run.start_offset + u64::from(*end);
        match run.part {
            Part::Text => offset.text = end,
            Part::Thinking => offset.thinking = end,
            Part::Image => {}
        }
    }
    Some(offset)
}

#[cfg(test)]
mod tests {
    use slipstream_domain::Run;
    use slipstream_domain::run::merged;

    use super::*;

    fn outputs() -> Vec<Output> {
        let mut thinking = Run::delta(Seq(1), Part::Thinking, 0, "hm".into());
        thinking.try_merge(Run::delta(Seq(2), Part::Thinking, 2, "…".into())).unwrap();
        let text = Run::delta(Seq(3), Part::Text, 0, "well".into());
        [thinking, text].map(|run| Output { run, thinking_ms: None }).into()
    }

    #[test]
    fn the_bytes_of_each_part_are_counted_up_to_any_delta() {
        let at = |seq| offsets_at(&outputs(), Seq(seq));
        assert_eq!(at(0), Some(Offsets::default()));
        assert_eq!(at(1), Some(Offsets { text: 0, thinking: 2 }));
        assert_eq!(at(2), Some(Offsets { text: 0, thinking: 5 }));
        assert_eq!(at(3), Some(Offsets { text: 4, thinking: 5 }));
        assert_eq!(at(4), None);
    }

    #[test]
    fn neighbours_become_one_piece_and_nothing_is_joined_across_a_reset() {
        let mut pieces = Vec::new();
        let reset = Piece::Reset(Reset { epoch: Epoch(2), seq: Seq(0), offset: Offsets::default() });
        for seq in 1..=2 {
            let run = Run::delta(Seq(seq), Part::Text, seq - 1, "x".into());
            push(&mut pieces, Output { run, thinking_ms: Some(seq) });
        }
        pieces.push(reset.clone());
        let run = Run::delta(Seq(3), Part::Text, 2, "x".into());
        push(&mut pieces, Output { run, thinking_ms: None });
        let [Piece::Output(first), second, Piece::Output(_)] = pieces.as_slice() else {
            panic!("{pieces:?}")
        };
        assert_eq!((first.run.count(), first.thinking_ms, second), (2, Some(2), &reset));
    }

    #[test]
    fn a_long_replay_is_cut_between_deltas_and_loses_nothing() {
        let size = SOFT_BYTES / 3;
        let deltas = (0..7).map(|n| Run::delta(Seq(n + 1), Part::Text, n * size as u64, "x".repeat(size)));
        let whole = merged(deltas).pop().unwrap();
        let frames = frames_of(Output { run: whole.clone(), thinking_ms: None });
        assert!(frames.len() == 3 && frames.iter().all(|frame| frame.run.text.len() <= SOFT_BYTES));
        assert_eq!(merged(frames.into_iter().map(|frame| frame.run)), [whole]);
    }
}
