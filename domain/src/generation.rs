//! One attempt at a reply: requested, taken by a worker, streamed, ended. Whoever does not hold the current epoch can
//! record nothing.

use crate::event::{
    CancelRequested, ChunksRecorded, GenerationEvent, GenerationRequested, GenerationStarted,
    GenerationTakenOver, Meta, ProviderFault, Terminal,
};
use crate::ids::{UserId, WorkerId};
use crate::run::Run;
use crate::values::{Epoch, Seq, TerminalStatus, Timestamp};

/// What was asked, and by whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Whose conversation it is.
    pub owner: Option<UserId>,
    /// When it was asked.
    pub at: Timestamp,
    /// The request itself.
    pub asked: GenerationRequested,
}

/// The state of a generation's stream. Each state carries only its own data.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Generation {
    /// No such generation.
    #[default]
    Unknown,
    /// Waiting for a worker.
    Requested(Request),
    /// A worker makes it.
    Streaming(Request, Streaming),
    /// It is over.
    Ended {
        /// What was asked.
        request: Request,
        /// How far its owners came; `None` when no worker ever took it.
        made: Option<Streaming>,
        /// How it ended.
        status: TerminalStatus,
        /// The last delta's number.
        final_seq: Seq,
    },
}

/// What is known of a generation that a worker makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streaming {
    /// The current owner's.
    pub epoch: Epoch,
    /// The current owner.
    pub worker: WorkerId,
    /// The last delta recorded.
    pub last_seq: Seq,
    /// For each epoch, the last delta recorded before its own text begins; the first is 0.
    pub bases: Vec<Seq>,
    /// Whether the user wants it to stop.
    pub cancel_requested: bool,
    /// When something was last recorded.
    pub last_at: Timestamp,
}

/// How an owner ends its generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub status: TerminalStatus,
    /// The rest.
    pub terminal: Terminal,
}

/// Why a generation's stream cannot go on as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GenerationRejection {
    /// No such generation, or not this user's.
    #[error("no such generation")]
    NotFound,
    /// A worker has it.
    #[error("epoch {} owns the generation", owner.epoch)]
    Owned {
        /// Who, since when.
        owner: Owner,
    },
    /// The writer's epoch is not the current one.
    #[error("fenced: the current epoch is {current}")]
    Fenced {
        /// The current epoch.
        current: Epoch,
    },
    /// Deltas are numbered without gaps.
    #[error("the next delta is {expected}, not {got}")]
    OutOfOrder {
        /// The number that would be right.
        expected: Seq,
        /// The number given.
        got: Seq,
    },
    /// It has not been taken yet.
    #[error("the generation has not been started")]
    NotStarted,
    /// It is over.
    #[error("the generation has ended: {}", status.as_str())]
    Ended {
        /// How.
        status: TerminalStatus,
    },
}

/// Who makes a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The owner's epoch.
    pub epoch: Epoch,
    /// The worker.
    pub worker: WorkerId,
    /// When it last recorded anything.
    pub last_at: Timestamp,
}

impl Streaming {
    /// Where a reader that stands at `seq` of `epoch` must cut its text, because a later owner went on from there.
    /// `None` when its epoch is the current one.
    #[must_use]
    pub fn reset_point(&self, epoch: Epoch, seq: Seq) -> Option<Seq> {
        let later = self.bases.get(epoch.0 as usize..).filter(|later| !later.is_empty())?;
        later.iter().copied().chain([seq]).min()
    }

    fn owner(&self) -> Owner {
        Owner { epoch: self.epoch, worker: self.worker, last_at: self.last_at }
    }
}

impl Generation {
    /// The request, in every state that has one.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        match self {
            Self::Unknown => None,
            Self::Requested(request) | Self::Streaming(request, _) | Self::Ended { request, .. } => {
                Some(request)
            }
        }
    }

    /// A worker takes a waiting generation.
    ///
    /// # Errors
    /// `Owned` when a worker has it (see [`Generation::take_over`]), `Ended`, `NotFound`.
    pub fn open(&self, worker: WorkerId) -> Result<GenerationEvent, GenerationRejection> {
        match self {
            Self::Unknown => Err(GenerationRejection::NotFound),
            Self::Requested(_) => {
                Ok(GenerationEvent::GenerationStarted(GenerationStarted { epoch: Epoch::FIRST, worker }))
            }
            Self::Streaming(_, streaming) => Err(GenerationRejection::Owned { owner: streaming.owner() }),
            Self::Ended { status, .. } => Err(GenerationRejection::Ended { status: *status }),
        }
    }

    /// A worker takes a generation from an owner known to be gone, the one of epoch `from`.
    ///
    /// # Errors
    /// `Fenced` when another was faster, `NotStarted`, `Ended`, `NotFound`.
    pub fn take_over(&self, from: Epoch, worker: WorkerId) -> Result<GenerationEvent, GenerationRejection> {
        let streaming = self.owned_at(from)?;
        let taken = GenerationTakenOver { epoch: from.next(), worker, last_seq: streaming.last_seq };
        Ok(GenerationEvent::GenerationTakenOver(taken))
    }

    /// The owner of `epoch` lets it go, so that the next one need not make sure that it is gone.
    ///
    /// # Errors
    /// `Fenced`, `NotStarted`, `Ended`, `NotFound`.
    pub fn release(&self, epoch: Epoch) -> Result<GenerationEvent, GenerationRejection> {
        self.take_over(epoch, WorkerId::NOBODY)
    }

    /// The owner of `epoch` records output. `runs` must be consecutive; an empty list is no event.
    ///
    /// # Errors
    /// `Fenced`, `OutOfOrder`, `NotStarted`, `Ended`, `NotFound`.
    pub fn record(
        &self,
        epoch: Epoch,
        carried: bool,
        thinking_ms: Option<u64>,
        runs: Vec<Run>,
    ) -> Result<Option<GenerationEvent>, GenerationRejection> {
        let streaming = self.owned_at(epoch)?;
        let mut expected = streaming.last_seq.next();
        for run in &runs {
            if run.from != expected {
                return Err(GenerationRejection::OutOfOrder { expected, got: run.from });
            }
            expected = run.to().next();
        }
        Ok(ChunksRecorded::of(epoch, carried, thinking_ms, runs).map(GenerationEvent::ChunksRecorded))
    }

    /// The user wants it to stop. A waiting one ends at once; a running one is told; an ended one stays as it is.
    ///
    /// # Errors
    /// `NotFound` when there is none, or `by` does not own it.
    pub fn cancel(&self, by: UserId) -> Result<Cancellation, GenerationRejection> {
        if self.request().is_none_or(|request| request.owner != Some(by)) {
            return Err(GenerationRejection::NotFound);
        }
        Ok(match self {
            Self::Unknown => return Err(GenerationRejection::NotFound),
            Self::Requested(_) => Cancellation::EndNow,
            Self::Streaming(_, streaming) if streaming.cancel_requested => Cancellation::Requested(None),
            Self::Streaming(..) => {
                Cancellation::Requested(Some(Box::new(GenerationEvent::CancelRequested(CancelRequested {
                    by,
                }))))
            }
            Self::Ended { status, .. } => Cancellation::Over(*status),
        })
    }

    /// The owner of `epoch` ends it.
    ///
    /// # Errors
    /// `Fenced`; `OutOfOrder` when not all output is recorded; `NotStarted`, `Ended`, `NotFound`.
    pub fn finish(&self, epoch: Epoch, ending: Ending) -> Result<GenerationEvent, GenerationRejection> {
        let streaming = self.owned_at(epoch)?;
        if ending.terminal.final_seq != streaming.last_seq {
            let (expected, got) = (streaming.last_seq, ending.terminal.final_seq);
            return Err(GenerationRejection::OutOfOrder { expected, got });
        }
        Ok(ending.event())
    }

    /// Ends a generation that no worker has taken: cancelled by its user, or never to be answered.
    ///
    /// # Errors
    /// `Owned`, `Ended`, `NotFound`.
    pub fn end_unstarted(&self, ending: Ending) -> Result<GenerationEvent, GenerationRejection> {
        match self {
            Self::Unknown => Err(GenerationRejection::NotFound),
            Self::Requested(_) => Ok(ending.event()),
            Self::Streaming(_, streaming) => Err(GenerationRejection::Owned { owner: streaming.owner() }),
            Self::Ended { status, .. } => Err(GenerationRejection::Ended { status: *status }),
        }
    }

    fn owned_at(&self, epoch: Epoch) -> Result<&Streaming, GenerationRejection> {
        match self {
            Self::Unknown => Err(GenerationRejection::NotFound),
            Self::Requested(_) => Err(GenerationRejection::NotStarted),
            Self::Streaming(_, streaming) if streaming.epoch == epoch => Ok(streaming),
            Self::Streaming(_, streaming) => Err(GenerationRejection::Fenced { current: streaming.epoch }),
            Self::Ended { status, .. } => Err(GenerationRejection::Ended { status: *status }),
        }
    }

    /// Takes an event of this stream in.
    pub fn evolve(&mut self, event: &GenerationEvent, meta: Meta) {
        match event {
            GenerationEvent::GenerationRequested(asked) => {
                *self = Self::Requested(Request { owner: meta.owner, at: meta.at, asked: asked.clone() });
            }
            GenerationEvent::GenerationStarted(started) => self.start(*started, meta.at),
            GenerationEvent::GenerationTakenOver(taken) => self.stream(meta.at, |streaming| {
                (streaming.epoch, streaming.worker) = (taken.epoch, taken.worker);
                streaming.bases.push(taken.last_seq);
            }),
            GenerationEvent::ChunksRecorded(chunks) => self.stream(meta.at, |streaming| {
                streaming.last_seq = chunks.to_seq;
                if let (true, Some(base)) = (chunks.carried, streaming.bases.last_mut()) {
                    *base = chunks.to_seq;
                }
            }),
            GenerationEvent::CancelRequested(_) => {
                self.stream(meta.at, |streaming| streaming.cancel_requested = true);
            }
            GenerationEvent::GenerationCompleted(terminal) => self.end(TerminalStatus::Completed, terminal),
            GenerationEvent::GenerationCancelled(terminal) => self.end(TerminalStatus::Cancelled, terminal),
            GenerationEvent::GenerationInterrupted(terminal) => {
                self.end(TerminalStatus::Interrupted, terminal);
            }
            GenerationEvent::GenerationFailed(terminal) => self.end(TerminalStatus::Failed, terminal),
        }
    }

    fn start(&mut self, started: GenerationStarted, at: Timestamp) {
        if let Self::Requested(request) = std::mem::take(self) {
            let streaming = Streaming {
                epoch: started.epoch,
                worker: started.worker,
                last_seq: Seq::START,
                bases: vec![Seq::START],
                cancel_requested: false,
                last_at: at,
            };
            *self = Self::Streaming(request, streaming);
        }
    }

    fn stream(&mut self, at: Timestamp, change: impl FnOnce(&mut Streaming)) {
        if let Self::Streaming(_, streaming) = self {
            streaming.last_at = at;
            change(streaming);
        }
    }

    fn end(&mut self, status: TerminalStatus, terminal: &Terminal) {
        let (request, made) = match std::mem::take(self) {
            Self::Unknown => return,
            Self::Requested(request) => (request, None),
            Self::Streaming(request, streaming) => (request, Some(streaming)),
            Self::Ended { request, made, .. } => (request, made),
        };
        *self = Self::Ended { request, made, status, final_seq: terminal.final_seq };
    }
}

/// What a wish to stop leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancellation {
    /// No worker has it: end it as cancelled in this same append.
    EndNow,
    /// Its owner must stop; the event to record, unless it is recorded already.
    Requested(Option<Box<GenerationEvent>>),
    /// It is over.
    Over(TerminalStatus),
}

impl Ending {
    /// An end without output and without a provider's answer.
    #[must_use]
    pub fn without_output(
        status: TerminalStatus,
        error: Option<ProviderFault>,
        content: crate::event::TerminalContent,
    ) -> Self {
        let terminal = Terminal {
            final_seq: Seq::START,
            finish_reason: None,
            usage: None,
            cost: None,
            attempts: 0,
            first_token_ms: None,
            thinking_ms: None,
            history_cut: None,
            answered_by: None,
            error,
            content: content.into(),
        };
        Self { status, terminal }
    }

    fn event(self) -> GenerationEvent {
        match self.status {
            TerminalStatus::Completed => GenerationEvent::GenerationCompleted(self.terminal),
            TerminalStatus::Cancelled => GenerationEvent::GenerationCancelled(self.terminal),
            TerminalStatus::Interrupted => GenerationEvent::GenerationInterrupted(self.terminal),
            TerminalStatus::Failed => GenerationEvent::GenerationFailed(self.terminal),
        }
    }
}

#[cfg(test)]
mod tests;
