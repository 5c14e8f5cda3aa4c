//! One reply on its way to a v1 socket: every piece with its place, conflated when the client is slow, its end with what
//! proves the text.

use std::sync::Arc;

use slipstream_commands::ports::LiveMessage;
use slipstream_domain::{ConversationId, Epoch, GenerationId, MessageId, Seq, Timestamp};
use slipstream_projections::{GenerationLog, QueryError, Transcript, Waited, generation_log, wait_for};

use super::chat::head_of;
use super::end_frames::ordered_end;
use super::inline_picture::ordered_delta;
use super::reader::{Piece, Reader, Reset, frames_of};
use super::standing::Stands;
use super::tiers::Tiers;
use super::viewer::Viewer;
use crate::meters;
use crate::protocol::{ChatHead, ResumeMode, ServerFrame, StreamResumed};
use crate::shared::Shared;
use crate::socket::{LiveReply, Ordered, Put, Reply, Socket};

/// What never changes of a reply.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) conversation: ConversationId,
    pub(crate) generation: GenerationId,
    pub(crate) message: MessageId,
    pub(crate) head: Arc<ChatHead>,
    /// What the conversation is called, as far as it was known.
    pub(crate) title: Option<String>,
}

/// A reply on its way to a socket.
pub(super) struct OrderedReply {
    facts: Facts,
    reader: Reader,
    /// The epoch that is being sent.
    reply: Arc<Reply>,
    /// Whether what comes live is left for when there is room.
    conflated: bool,
    #[expect(dead_code, reason = "it is counted until it is dropped")]
    live: LiveReply,
}

impl Facts {
    /// The facts of a generation in a conversation; `None` when there is none in it, or it can be read no more.
    pub(crate) fn of(
        told: &GenerationLog,
        conversation: ConversationId,
        generation: GenerationId,
        title: Option<String>,
    ) -> Option<Self> {
        let request = told.state.request().filter(|request| request.asked.conversation_id == conversation)?;
        let asked = &request.asked;
        let head = head_of(request.owner?, conversation, &asked.provider, &asked.model, asked.params);
        (!told.erased).then_some(Self { conversation, generation, message: asked.message_id, head, title })
    }

    /// The frame that says how its stream goes on.
    pub(crate) fn resumed(&self, stands: &Stands, at: Timestamp) -> StreamResumed {
        meters::resume(stands.mode.as_str());
        StreamResumed {
            conversation_id: self.conversation,
            generation_id: self.generation,
            message_id: Some(self.message),
            mode: stands.mode,
            epoch: Some(stands.viewer.epoch()),
            seq: Some(stands.viewer.seq()),
            offset: stands.offset,
            resumed_at: at.millis(),
            provider: self.head.provider.clone(),
            model: self.head.model.clone(),
            title: self.title.clone(),
        }
    }

    /// The frame that cuts a client's text.
    pub(crate) fn reset(&self, reset: Reset, at: Timestamp) -> StreamResumed {
        let viewer = Viewer::at(reset.epoch, reset.seq);
        self.resumed(&Stands { mode: ResumeMode::Reset, viewer, offset: Some(reset.offset) }, at)
    }

    /// What the place of output in one epoch is said with.
    pub(crate) fn ordered(&self, epoch: Epoch) -> Arc<Reply> {
        let (generation, message) = (self.generation, self.message);
        Reply::ordered(self.head.clone(), Ordered { generation, message, epoch })
    }

    /// Waits, bounded, until queries show the reply that has ended.
    pub(crate) async fn await_transcript(&self, shared: &Shared, told: &GenerationLog) {
        // The append that ends a generation records the conversation's reply right after it.
        let (log, recorded) = (&shared.tiers.log, told.last_position.next());
        let patience = shared.settings.transcript_patience;
        match wait_for::<Transcript>(log, self.conversation, recorded, patience).await {
            Waited::Reached | Waited::Parked => {}
            Waited::TimedOut => meters::terminal_wait_timed_out(),
        }
    }
}

impl OrderedReply {
    pub(super) fn new(facts: Facts, tiers: &Tiers, viewer: Viewer, socket: &Socket) -> Self {
        let reader = Reader::new(tiers.clone(), facts.generation, viewer);
        let reply = facts.ordered(viewer.epoch());
        Self { facts, reader, reply, conflated: false, live: socket.subscriptions.live_reply() }
    }

    pub(super) fn generation(&self) -> GenerationId {
        self.facts.generation
    }

    /// Whether what comes live is left for when there is room.
    pub(super) fn is_conflated(&self) -> bool {
        self.conflated
    }

    /// Sends what a live message leads to.
    pub(super) async fn live(&mut self, shared: &Shared, socket: &Socket, message: &LiveMessage) {
        if self.conflated {
            return;
        }
        for piece in self.reader.live(message, shared.app.now()).await {
            match piece {
                Piece::Reset(reset) => self.reset(shared, socket, reset),
                Piece::Output(output) => {
                    let delta = ordered_delta(shared, socket.user, self.reply.clone(), output).await;
                    if let Put::Conflated(seq) = socket.ordered(delta) {
                        self.reader.back_to(seq);
                        self.conflated = true;
                        return meters::conflation();
                    }
                }
            }
        }
    }

    /// Sends all that is missing, as far as it can be found now, in as few frames as there may be: each when there is
    /// room. `told` when the log has been read already.
    pub(super) async fn send_missing(
        &mut self,
        shared: &Shared,
        socket: &Socket,
        told: Option<&GenerationLog>,
    ) {
        let _turn = socket.subscriptions.sending().await;
        socket.room().await;
        let missing = match told {
            Some(told) => self.reader.take_in(told).await,
            None => self.reader.catch_up(self.reader.viewer().epoch(), Seq::START).await,
        };
        self.conflated = false;
        for piece in missing {
            match piece {
                Piece::Reset(reset) => self.reset(shared, socket, reset),
                Piece::Output(output) => {
                    for output in frames_of(output) {
                        let delta = ordered_delta(shared, socket.user, self.reply.clone(), output).await;
                        socket.room().await;
                        socket.delta(delta);
                    }
                }
            }
        }
    }

    /// Sends the rest, and the end that the conversation has recorded as `version`.
    ///
    /// # Errors
    /// The log does not answer; nothing of the end has been sent.
    pub(super) async fn finish(
        &mut self,
        shared: &Shared,
        socket: &Socket,
        version: i64,
    ) -> Result<(), QueryError> {
        let told = generation_log(&shared.tiers.log, self.facts.generation).await?;
        self.send_missing(shared, socket, Some(&told)).await;
        self.facts.await_transcript(shared, &told).await;
        if let Some(end) = ordered_end(&self.facts, &told, version) {
            socket.room().await;
            socket.frame(&end);
        }
        Ok(())
    }

    fn reset(&mut self, shared: &Shared, socket: &Socket, reset: Reset) {
        socket.frame(&ServerFrame::StreamResumed(self.facts.reset(reset, shared.app.now())));
        self.reply = self.facts.ordered(reset.epoch);
    }
}
