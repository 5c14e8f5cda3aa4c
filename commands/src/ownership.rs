//! What the owner of a generation holds: its stream as of its own last write, so that recording needs no reading.

use slipstream_domain::event::GenerationEvent;
use slipstream_domain::generation::Streaming;
use slipstream_domain::{ConversationId, Epoch, Generation, GenerationId, Meta, Request, Seq};
use slipstream_eventlog::{Appended, Position, StreamId, Version};

use crate::loading::Loaded;
use crate::{CommandError, Commands, loading};

/// A generation in the hands of its owner. Whoever holds it may record and finish until another epoch begins.
#[derive(Debug)]
pub struct Ownership {
    id: GenerationId,
    request: Request,
    streaming: Streaming,
    epoch: Epoch,
    pub(crate) version: Version,
    requested_at: Position,
    pub(crate) last: Position,
}

impl Ownership {
    /// # Errors
    /// `Fenced` when `epoch` is not the current one; `Ended`, `NotFound`.
    pub(crate) fn of(
        id: GenerationId,
        loaded: Loaded<Generation>,
        epoch: Epoch,
    ) -> Result<Self, CommandError> {
        let Loaded { state, version, first, last } = loaded;
        match state {
            Generation::Streaming(request, streaming) if streaming.epoch == epoch => {
                Ok(Self { id, request, streaming, epoch, version, requested_at: first, last })
            }
            Generation::Streaming(_, streaming) => Err(CommandError::Fenced { current: streaming.epoch }),
            Generation::Ended { status, .. } => Err(CommandError::Ended { status }),
            Generation::Unknown | Generation::Requested(_) => Err(CommandError::NotFound("generation")),
        }
    }

    /// Which generation.
    #[must_use]
    pub fn id(&self) -> GenerationId {
        self.id
    }

    /// What was asked, and by whom.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where.
    #[must_use]
    pub fn conversation(&self) -> ConversationId {
        self.request.asked.conversation_id
    }

    /// This owner's epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last delta recorded, by whichever owner.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.streaming.last_seq
    }

    /// Whether a wish to stop is known. It is learned at every write and by [`Ownership::refresh`].
    #[must_use]
    pub fn cancel_requested(&self) -> bool {
        self.streaming.cancel_requested
    }

    /// Where the request stands in the log: a reader that has come so far knows the message to answer.
    #[must_use]
    pub fn requested_at(&self) -> Position {
        self.requested_at
    }

    /// The newest event of the stream this owner knows.
    #[must_use]
    pub fn position(&self) -> Position {
        self.last
    }

    /// Reads what was appended to the stream since this owner's last look.
    ///
    /// # Errors
    /// `Fenced` when another has taken it; `Ended`; `Unavailable`, `Unreadable`.
    pub async fn refresh(&mut self, app: &Commands) -> Result<(), CommandError> {
        let (state, version, last) = (self.state(), self.version, self.last);
        let mut loaded = Loaded { state, version, first: self.requested_at, last };
        loading::catch_up(&app.log, self.id, &mut loaded).await?;
        *self = Self::of(self.id, loaded, self.epoch)?;
        Ok(())
    }

    /// The state rules decide on.
    pub(crate) fn state(&self) -> Generation {
        Generation::Streaming(self.request.clone(), self.streaming.clone())
    }

    /// Takes in what this owner has just written.
    pub(crate) fn wrote(&mut self, event: &GenerationEvent, appended: &Appended, meta: Meta) {
        let mut state = self.state();
        state.evolve(event, meta);
        if let Generation::Streaming(_, streaming) = state {
            self.streaming = streaming;
        }
        let stream = StreamId::from_uuid(self.id.as_uuid());
        let version = appended.versions.iter().find_map(|(id, version)| (*id == stream).then_some(*version));
        self.version = version.unwrap_or(self.version.next());
        self.last = appended.last;
    }
}
