//! One reply on its way to an HTTP client, from wherever it stands to the end: the frames of v1, one reader, no more in
//! memory than the client takes.

use std::sync::Arc;

use slipstream_commands::ports::BusEvent;
use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{Epoch, GenerationId, Seq, UserId};
use slipstream_projections::{GenerationLog, QueryError, Versioned, conversation_log, generation_log};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::end_frames::ordered_end;
use super::inline_picture::ordered_delta;
use super::listening::{Heard, Listening, RETRY};
use super::news::Signal;
use super::ordered_reply::Facts;
use super::reader::{Piece, Reader, frames_of};
use super::standing::{Impossible, Stands, stands};
use super::viewer::Viewer;
use crate::protocol::{ErrorCode, ServerFrame};
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A frame, and where its reader stands after it.
pub(crate) struct Told {
    pub(crate) frame: ServerFrame,
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
}

/// Why there is nothing to follow.
pub(crate) enum NotFollowed {
    /// There is none for this user, or not for now.
    Refused(Refusal),
    /// The client says that it has what cannot be.
    Impossible(Impossible),
}

/// A reply to be followed.
pub(crate) struct FollowReply {
    shared: Arc<Shared>,
    user: UserId,
    facts: Facts,
    listening: Listening,
    reader: Reader,
    stands: Stands,
    to: mpsc::Sender<Told>,
}

/// The client is gone, or takes nothing.
struct Gone;

impl From<QueryError> for NotFollowed {
    fn from(error: QueryError) -> Self {
        Self::Refused(error.into())
    }
}

impl FollowReply {
    /// The reply that `id` makes, for its owner, who has what it `has` of it. What is said of it goes to `to`.
    ///
    /// # Errors
    /// See [`NotFollowed`]; another user's, a deleted and an erased one are `not_found` alike.
    pub(crate) async fn open(
        shared: &Arc<Shared>,
        user: UserId,
        id: GenerationId,
        has: Option<(Epoch, Seq)>,
        to: mpsc::Sender<Told>,
    ) -> Result<Self, NotFollowed> {
        let absent = || NotFollowed::Refused(Refusal::new(ErrorCode::NotFound, "no such generation"));
        let request = generation_log(&shared.tiers.log, id).await?.state.request().cloned();
        let request = request.filter(|request| request.owner == Some(user)).ok_or_else(absent)?;
        let conversation = request.asked.conversation_id;
        let listening = Listening::to(shared, conversation).await;
        let of = conversation_log(&shared.tiers.log, conversation).await?;
        let told = generation_log(&shared.tiers.log, id).await?;
        let title = of.title.as_ref().map(|title| title.as_str().to_owned());
        let facts = Facts::of(&told, conversation, id, title).filter(|_| !of.deleted).ok_or_else(absent)?;
        let stands = stands(&told, has, told.terminal.is_some()).map_err(NotFollowed::Impossible)?;
        let reader = Reader::new(shared.tiers.clone(), id, stands.viewer);
        Ok(Self { shared: shared.clone(), user, facts, listening, reader, stands, to })
    }

    /// Tells everything until the reply's end is told, the client is gone, or the drain begins: a client that comes back
    /// goes on from the last place it was told.
    pub(crate) async fn run(mut self) {
        let drain = self.shared.drain.clone();
        let to = self.to.clone();
        tokio::select! {
            () = drain.cancelled() => {}
            () = to.closed() => {}
            // Whoever goes has taken all it wants.
            _ = self.follow() => {}
        }
    }

    async fn follow(&mut self) -> Result<(), Gone> {
        let resumed = self.facts.resumed(&self.stands, self.shared.app.now());
        self.tell(ServerFrame::StreamResumed(resumed), self.stands.viewer).await?;
        if self.look().await? {
            return Ok(());
        }
        let mut heard_at = Instant::now();
        loop {
            let look_every = if self.listening.is_live() { self.shared.settings.look_every } else { RETRY };
            let heard = tokio::select! {
                heard = self.listening.next() => Some(heard),
                () = sleep_until(heard_at + look_every) => None,
            };
            heard_at = Instant::now();
            let look = match heard {
                Some(Heard::Live(BusEvent::Message(message))) => {
                    let pieces = self.reader.live(&message, self.shared.app.now()).await;
                    self.tell_all(pieces).await?;
                    false
                }
                Some(Heard::Signal(Signal::Ended(id))) => id == self.facts.generation,
                Some(Heard::Signal(Signal::Changed)) => false,
                Some(Heard::Live(BusEvent::Lagged) | Heard::Signal(Signal::Look)) | None => true,
            };
            if look && self.look().await? {
                return Ok(());
            }
        }
    }

    /// Asks the log, and tells what is missing; whether that was all. When it does not answer, it is asked again after
    /// a silence.
    async fn look(&mut self) -> Result<bool, Gone> {
        match told(&self.shared, &self.facts).await {
            Ok((told, ended)) => {
                let pieces = self.reader.take_in(&told).await;
                self.tell_all(pieces).await?;
                let Some(version) = ended else { return Ok(false) };
                self.facts.await_transcript(&self.shared, &told).await;
                if let Some(end) = ordered_end(&self.facts, &told, version) {
                    self.tell(end, self.reader.viewer()).await?;
                }
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, generation = %self.facts.generation, "a reply cannot be read");
                match error {
                    QueryError::Unavailable(_) => Ok(false),
                    // Asking again would not help; the client learns it when it comes back.
                    QueryError::Unreadable(_) => Err(Gone),
                }
            }
        }
    }

    async fn tell_all(&mut self, pieces: Vec<Piece>) -> Result<(), Gone> {
        for piece in pieces {
            match piece {
                Piece::Reset(reset) => {
                    let frame = self.facts.reset(reset, self.shared.app.now());
                    self.tell(ServerFrame::StreamResumed(frame), Viewer::at(reset.epoch, reset.seq)).await?;
                }
                Piece::Output(output) => {
                    let epoch = self.reader.viewer().epoch();
                    for output in frames_of(output) {
                        let to = Viewer::at(epoch, output.run.to());
                        let reply = self.facts.ordered(epoch);
                        let delta = ordered_delta(&self.shared, self.user, reply, output).await;
                        self.tell(delta.frame(), to).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn tell(&mut self, frame: ServerFrame, to: Viewer) -> Result<(), Gone> {
        let told = Told { frame, epoch: to.epoch(), seq: to.seq() };
        match timeout(self.shared.settings.stall, self.to.send(told)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// The reply, and the version of its conversation with its end, once it has ended.
async fn told(shared: &Shared, facts: &Facts) -> Result<(GenerationLog, Option<i64>), QueryError> {
    let told = generation_log(&shared.tiers.log, facts.generation).await?;
    if told.terminal.is_none() {
        return Ok((told, None));
    }
    let of = conversation_log(&shared.tiers.log, facts.conversation).await?;
    Ok((told, version_of_end(&of.events, facts.generation)))
}

/// The conversation's version with the end of a reply in it.
pub(super) fn version_of_end(events: &[Versioned], id: GenerationId) -> Option<i64> {
    let ends = |event: &&Versioned| matches!(&event.event, ConversationEvent::ReplyRecorded(reply) if reply.generation_id == id);
    events.iter().find(ends).map(|event| event.version)
}
