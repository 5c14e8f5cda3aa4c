//! Where a client that comes to a stream stands in it, and in which mode the stream goes on. Pure.

use slipstream_domain::{Epoch, Seq};
use slipstream_projections::GenerationLog;

use super::reader::offsets_at;
use super::tiers::reset;
use super::viewer::Viewer;
use crate::protocol::{Offsets, ResumeMode};

/// How a stream goes on for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stands {
    pub(crate) mode: ResumeMode,
    /// Where the client stands before the next frame.
    pub(crate) viewer: Viewer,
    /// Bytes of each part that it has; unknown when the log does not reach that far yet.
    pub(crate) offset: Option<Offsets>,
}

/// A client says that it has what cannot be: the field that is wrong, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Impossible {
    #[error("epoch must be at most {}, the stream's own", .0)]
    Epoch(Epoch),
    #[error("seq must be at most {}, the stream's last", .0)]
    Seq(Seq),
}

/// How the stream goes on for a client that has what it `has` of it; `is_over` when its end is recorded.
pub(crate) fn stands(
    told: &GenerationLog,
    has: Option<(Epoch, Seq)>,
    is_over: bool,
) -> Result<Stands, Impossible> {
    let current = told.epoch();
    let (epoch, seq) = has.unwrap_or((current, Seq::START));
    if epoch > current {
        return Err(Impossible::Epoch(current));
    }
    let viewer = Viewer::at(epoch, seq);
    if let Some(reset) = reset(told, viewer) {
        let viewer = Viewer::at(reset.epoch, reset.seq);
        return Ok(Stands { mode: ResumeMode::Reset, viewer, offset: Some(reset.offset) });
    }
    // The first delta is recorded before it is shown; what comes after it may be shown before it is recorded.
    let nothing = told.last_seq() == Seq::START;
    if seq > told.last_seq() && (nothing || is_over) {
        return Err(Impossible::Seq(told.last_seq()));
    }
    let mode = if is_over {
        ResumeMode::Final
    } else if nothing {
        ResumeMode::Pending
    } else {
        ResumeMode::Replay
    };
    Ok(Stands { mode, viewer, offset: offsets_at(&told.outputs, seq) })
}

#[cfg(test)]
mod tests {
    use slipstream_domain::event::{
        ChunksRecorded, GenerationEvent, GenerationRequested, GenerationStarted, GenerationTakenOver,
    };
    use slipstream_domain::{
        ConversationId, Generation, GenerationKind, KeySource, MessageId, Meta, ModelId, Params, Part,
        ProviderId, Run, Timestamp, WorkerId,
    };
    use slipstream_projections::{Output, Position};
    use uuid::Uuid;

    use super::*;

    fn requested() -> GenerationEvent {
        GenerationEvent::GenerationRequested(GenerationRequested {
            conversation_id: ConversationId::from_uuid(Uuid::nil()),
            message_id: MessageId::from_uuid(Uuid::nil()),
            provider: ProviderId::parse("openai").unwrap(),
            model: ModelId::parse("gpt-5-nano").unwrap(),
            params: Params::default(),
            own: None,
            key_source: KeySource::None,
            kind: GenerationKind::Chat,
            content: slipstream_domain::event::RequestContent::default().into(),
        })
    }

    fn started() -> GenerationEvent {
        let worker = WorkerId::from_uuid(Uuid::nil());
        GenerationEvent::GenerationStarted(GenerationStarted { epoch: Epoch::FIRST, worker })
    }

    fn taken_over(epoch: u32, last_seq: u64) -> GenerationEvent {
        let worker = WorkerId::from_uuid(Uuid::nil());
        let taken = GenerationTakenOver { epoch: Epoch(epoch), worker, last_seq: Seq(last_seq) };
        GenerationEvent::GenerationTakenOver(taken)
    }

    /// Two bytes of text a delta.
    fn recorded(epoch: u32, seqs: std::ops::RangeInclusive<u64>) -> GenerationEvent {
        let runs = seqs.map(|seq| Run::delta(Seq(seq), Part::Text, (seq - 1) * 2, "xy".into())).collect();
        GenerationEvent::ChunksRecorded(ChunksRecorded::of(Epoch(epoch), false, None, runs).unwrap())
    }

    fn told(events: &[GenerationEvent]) -> GenerationLog {
        let (mut state, mut outputs) = (Generation::default(), Vec::new());
        for event in events {
            state.evolve(event, Meta { owner: None, at: Timestamp::from_micros(0) });
            if let GenerationEvent::ChunksRecorded(chunks) = event {
                let runs = chunks.runs().unwrap().into_open().unwrap();
                outputs.extend(runs.into_iter().map(|run| Output { run, thinking_ms: None }));
            }
        }
        GenerationLog { state, outputs, erased: false, terminal: None, last_position: Position::START }
    }

    fn mode(
        told: &GenerationLog,
        has: Option<(u32, u64)>,
        is_over: bool,
    ) -> (ResumeMode, Viewer, Option<u64>) {
        let has = has.map(|(epoch, seq)| (Epoch(epoch), Seq(seq)));
        let stands = stands(told, has, is_over).unwrap();
        (stands.mode, stands.viewer, stands.offset.map(|offset| offset.text))
    }

    #[test]
    fn before_the_first_delta_it_is_pending_and_after_the_end_final() {
        let waiting = told(&[requested()]);
        assert_eq!(mode(&waiting, None, false), (ResumeMode::Pending, Viewer::at(Epoch(1), Seq(0)), Some(0)));
        assert_eq!(mode(&waiting, Some((1, 0)), true).0, ResumeMode::Final);
        let made = told(&[requested(), started(), recorded(1, 1..=3)]);
        assert_eq!(mode(&made, None, false), (ResumeMode::Replay, Viewer::at(Epoch(1), Seq(0)), Some(0)));
        assert_eq!(
            mode(&made, Some((1, 2)), true),
            (ResumeMode::Final, Viewer::at(Epoch(1), Seq(2)), Some(4))
        );
    }

    #[test]
    fn a_client_may_have_more_than_is_recorded_while_the_reply_is_made() {
        let made = told(&[requested(), started(), recorded(1, 1..=3)]);
        assert_eq!(
            mode(&made, Some((1, 9)), false),
            (ResumeMode::Replay, Viewer::at(Epoch(1), Seq(9)), None)
        );
    }

    #[test]
    fn who_stands_in_an_earlier_epoch_is_cut_where_the_later_ones_went_on() {
        let made = told(&[requested(), started(), recorded(1, 1..=3), taken_over(2, 3), recorded(2, 4..=6)]);
        assert_eq!(
            mode(&made, Some((1, 5)), false),
            (ResumeMode::Reset, Viewer::at(Epoch(2), Seq(3)), Some(6))
        );
        assert_eq!(
            mode(&made, Some((1, 2)), true),
            (ResumeMode::Reset, Viewer::at(Epoch(2), Seq(2)), Some(4))
        );
        assert_eq!(mode(&made, Some((2, 5)), false).0, ResumeMode::Replay);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let made = told(&[requested(), started(), recorded(1, 1..=3)]);
        assert_eq!(stands(&made, Some((Epoch(2), Seq(0))), false), Err(Impossible::Epoch(Epoch(1))));
        assert_eq!(stands(&made, Some((Epoch(1), Seq(4))), true), Err(Impossible::Seq(Seq(3))));
        assert_eq!(
            stands(&told(&[requested()]), Some((Epoch(1), Seq(1))), false),
            Err(Impossible::Seq(Seq(0)))
        );
    }
}
