//! A generation told from the log alone: the tier that is never lost. For resuming, taking over and checking.

use slipstream_domain::event::{GenerationEvent, Terminal};
use slipstream_domain::generation::Streaming;
use slipstream_domain::{Epoch, Event, Generation, GenerationId, Sealed, Seq, TerminalStatus};
use slipstream_eventlog::{EventLog, Position, StreamId, Version};

use crate::error::QueryError;
use crate::followed::decode;
use crate::stream_state::Output;

/// What the log knows of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationLog {
    /// Its state; [`Generation::Unknown`] when there is none.
    pub state: Generation,
    /// Everything recorded, in order, gapless from the first delta; empty when it was erased.
    pub outputs: Vec<Output>,
    /// Whether something of it was erased with its owner's key.
    pub erased: bool,
    /// How it ended, if it has.
    pub terminal: Option<(TerminalStatus, Terminal)>,
    /// Its newest event; `Position::START` when there is none.
    pub last_position: Position,
}

impl GenerationLog {
    /// The current owner's epoch; the first while it has none.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.made().map_or(Epoch::FIRST, |made| made.epoch)
    }

    /// The last delta recorded.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.made().map_or(Seq::START, |made| made.last_seq)
    }

    /// How far its owners came; `None` when it never had one.
    #[must_use]
    pub fn made(&self) -> Option<&Streaming> {
        match &self.state {
            Generation::Unknown | Generation::Requested(_) => None,
            Generation::Streaming(_, made) => Some(made),
            Generation::Ended { made, .. } => made.as_ref(),
        }
    }
}

/// Reads a generation's whole stream.
///
/// # Errors
/// `Unavailable`; `Unreadable` when one of its events cannot be read.
pub async fn generation_log(log: &EventLog, id: GenerationId) -> Result<GenerationLog, QueryError> {
    let unreadable = |why: &dyn std::fmt::Display| QueryError::Unreadable(format!("generation {id}: {why}"));
    let mut told = GenerationLog {
        state: Generation::default(),
        outputs: Vec::new(),
        erased: false,
        terminal: None,
        last_position: Position::START,
    };
    for recorded in log.read_stream(StreamId::from_uuid(id.as_uuid()), Version::NONE).await? {
        let followed = decode(&recorded).map_err(|error| unreadable(&error))?;
        told.last_position = followed.position;
        let Event::Generation(event) = followed.event else {
            return Err(unreadable(&"its stream holds an event of another kind"));
        };
        told.state.evolve(&event, followed.meta);
        match event {
            GenerationEvent::ChunksRecorded(chunks) => {
                match chunks.runs().map_err(|error| unreadable(&error))? {
                    Sealed::Open(runs) => {
                        let thinking_ms = chunks.thinking_ms;
                        told.outputs.extend(runs.into_iter().map(|run| Output { run, thinking_ms }));
                    }
                    Sealed::Erased => told.erased = true,
                }
            }
            GenerationEvent::GenerationCompleted(end) => {
                told.terminal = Some((TerminalStatus::Completed, end));
            }
            GenerationEvent::GenerationCancelled(end) => {
                told.terminal = Some((TerminalStatus::Cancelled, end));
            }
            GenerationEvent::GenerationInterrupted(end) => {
                told.terminal = Some((TerminalStatus::Interrupted, end));
            }
            GenerationEvent::GenerationFailed(end) => told.terminal = Some((TerminalStatus::Failed, end)),
            GenerationEvent::GenerationRequested(asked) => told.erased |= asked.content.open().is_none(),
            GenerationEvent::GenerationStarted(_)
            | GenerationEvent::GenerationTakenOver(_)
            | GenerationEvent::CancelRequested(_) => {}
        }
    }
    Ok(told)
}
