//! Fills what a reader is missing: from the stream state, and from the log where that does not reach.

use std::sync::Arc;

use slipstream_domain::{Epoch, GenerationId, Part, Run, Seq};
use slipstream_projections::{
    EventLog, GenerationLog, Output, QueryError, StreamKey, StreamState, generation_log,
};

use super::reader::{Piece, Reset, offsets_at, push};
use super::viewer::{Step, Viewer};
use crate::meters;

/// The tiers below the live bus.
#[derive(Clone)]
pub(crate) struct Tiers {
    pub(crate) log: EventLog,
    pub(crate) state: Arc<dyn StreamState>,
}

/// What was missing: the text of each part, joined. Enough for a compat client, which keeps them apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) text: String,
    pub(super) thinking: String,
    pub(super) thinking_ms: Option<u64>,
}

impl Missing {
    pub(super) fn add(&mut self, run: &Run, thinking_ms: Option<u64>) {
        match run.part {
            Part::Text => self.text.push_str(&run.text),
            Part::Thinking => self.thinking.push_str(&run.text),
            // A picture is a file of the message, not a part of its text.
            Part::Image => {}
        }
        self.thinking_ms = thinking_ms.or(self.thinking_ms);
    }
}

impl Tiers {
    /// What `viewer` is missing, as far as it can be found now; the viewer stands after it then. `heard` is the newest
    /// epoch heard of: when it is not the viewer's, the log is asked first how much of the viewer's text holds. `awaited` is a delta that is
    /// known to be there: a stream state that does not reach it is behind, and the log is asked.
    ///
    /// # Errors
    /// The log was needed and did not answer. The viewer stands where it stood, or after what the stream state gave,
    /// which is in `pieces`.
    pub(super) async fn fill(
        &self,
        id: GenerationId,
        (heard, awaited): (Epoch, Seq),
        viewer: &mut Viewer,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), QueryError> {
        let hot = heard <= viewer.epoch() && self.fill_hot(id, viewer, pieces).await;
        if hot && viewer.seq() >= awaited {
            return Ok(());
        }
        let told = generation_log(&self.log, id).await?;
        self.fill_from(&told, id, viewer, pieces).await;
        Ok(())
    }

    /// The same when the log has been read already. Brings the viewer into the current epoch: of its text only what is
    /// before every later owner's first delta still holds.
    pub(super) async fn fill_from(
        &self,
        told: &GenerationLog,
        id: GenerationId,
        viewer: &mut Viewer,
        pieces: &mut Vec<Piece>,
    ) {
        if let Some(reset) = reset(told, *viewer) {
            viewer.reset(reset.epoch, reset.seq);
            pieces.push(Piece::Reset(reset));
        }
        take_all(viewer, told.outputs.clone(), pieces, "log");
        if told.terminal.is_none() {
            self.fill_hot(id, viewer, pieces).await;
        }
    }

    /// Whether the stream state had the stream and joined on to the viewer.
    async fn fill_hot(&self, id: GenerationId, viewer: &mut Viewer, pieces: &mut Vec<Piece>) -> bool {
        let key = StreamKey { generation: id, epoch: viewer.epoch() };
        match self.state.read_after(key, viewer.seq()).await {
            Ok(Some(outputs)) => take_all(viewer, outputs, pieces, "hot"),
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "the stream state does not answer");
                false
            }
        }
    }
}

/// Where the text of a client in an earlier epoch is cut; `None` in the current one.
pub(super) fn reset(told: &GenerationLog, viewer: Viewer) -> Option<Reset> {
    let made = told.made().filter(|made| made.epoch > viewer.epoch())?;
    let seq = made.reset_point(viewer.epoch(), viewer.seq()).unwrap_or(Seq::START);
    let offset = offsets_at(&told.outputs, seq).unwrap_or_default();
    Some(Reset { epoch: made.epoch, seq, offset })
}

/// Takes in what of `outputs` comes next for `viewer`; whether there was no hole before any of it.
fn take_all(viewer: &mut Viewer, outputs: Vec<Output>, pieces: &mut Vec<Piece>, tier: &'static str) -> bool {
    let (epoch, before) = (viewer.epoch(), viewer.seq());
    let mut whole = true;
    for Output { run, thinking_ms } in outputs {
        match viewer.take(epoch, run) {
            Step::Old => {}
            Step::Next(run) => push(pieces, Output { run, thinking_ms }),
            Step::Gap | Step::NewEpoch => {
                whole = false;
                break;
            }
        }
    }
    if viewer.seq() > before {
        meters::repair(tier);
    }
    whole
}
