//! A client's WebSocket: let in, read, written, pinged, closed. One task a socket; bounded both ways.
//!
//! Knows frames, not replies: those are the hub's, which puts into the socket's outbox what is to be written.

mod accept;
mod address;
mod answer;
mod close;
mod connections;
mod established;
mod heartbeat;
mod outbox;
mod session;
mod subscriptions;
mod tenures;
mod token_bucket;
mod writer;

use std::sync::{Arc, Mutex};

use slipstream_domain::{GenerationId, SessionId, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use self::close::{Close, End};
use self::heartbeat::Pulse;
use crate::lock;
use crate::protocol::{ErrorFrame, ServerFrame};
use crate::refusal::Refusal;

pub(crate) use accept::accept;
pub(crate) use connections::Connections;
pub(crate) use heartbeat::Heartbeats;
pub(crate) use outbox::{Delta, Ordered, Put, Reply, SOFT_BYTES};
pub(crate) use subscriptions::{LiveReply, Subscriptions, Ticket};
pub(crate) use tenures::Tenures;

/// An authenticated socket, as everybody but its own task sees it.
pub(crate) struct Socket {
    /// Names the connection.
    pub(crate) id: Uuid,
    /// Whose it is.
    pub(crate) user: UserId,
    /// The session that let it in, if one did.
    pub(crate) session: Option<SessionId>,
    /// What its client shows again when it comes back.
    pub(crate) fingerprint: [u8; 32],
    /// What its client speaks.
    pub(crate) speaks: Speaks,
    /// The conversations that a v1 client follows.
    pub(crate) subscriptions: Subscriptions,
    pulse: Arc<Pulse>,
    /// A permit for each reply that may be under way.
    in_flight: Arc<Semaphore>,
    replies: Mutex<Vec<GenerationId>>,
}

/// The two kinds of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// No subprotocol: the web client of the TypeScript Slipstream.
    Compat,
    /// `slipstream.v1`.
    V1,
}

/// A reply that is under way on a socket, until this is dropped.
pub(crate) struct UnderWay {
    socket: Arc<Socket>,
    generation: GenerationId,
    _permit: OwnedSemaphorePermit,
}

impl Socket {
    /// Puts a frame for the client; nothing happens once the socket has ended.
    pub(crate) fn frame(&self, frame: &ServerFrame) {
        self.pulse.outbox.frame(frame, None);
    }

    /// Tells why a frame was not carried out; the operator finds it under the same id in the log.
    pub(crate) fn refuse(&self, request_id: Uuid, refusal: Refusal) {
        let Refusal { code, message, retry_after_ms } = refusal;
        tracing::debug!(%request_id, code = code.as_str(), "a frame was refused");
        self.frame(&ServerFrame::Error(ErrorFrame { code, message, request_id, retry_after_ms }));
    }

    /// Puts the last frames of a reply; [`Reply::ended`] tells when the very last has been written.
    pub(crate) fn end_reply(&self, frames: &[ServerFrame], reply: &Arc<Reply>) {
        if let Some((last, before)) = frames.split_last() {
            for frame in before {
                self.frame(frame);
            }
            self.pulse.outbox.frame(last, Some(reply.clone()));
        }
    }

    /// Puts output of a reply.
    pub(crate) fn delta(&self, delta: Delta) {
        self.pulse.outbox.delta(delta);
    }

    /// Puts live output of an ordered reply.
    pub(crate) fn ordered(&self, delta: Delta) -> Put {
        self.pulse.outbox.ordered(delta)
    }

    /// Waits until there is room for more than a delta, or the socket has ended. Cancel-safe.
    pub(crate) async fn room(&self) {
        self.pulse.outbox.room().await;
    }

    /// Waits for the socket's end, and says which. Cancel-safe.
    pub(crate) async fn ended(&self) -> End {
        self.pulse.outbox.ended().await
    }

    /// The place of a reply that may be under way, if one is free.
    pub(crate) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.in_flight.clone().try_acquire_owned().ok()
    }

    /// The replies under way on it.
    pub(crate) fn replies(&self) -> Vec<GenerationId> {
        lock(&self.replies).clone()
    }

    /// Books a reply as under way.
    pub(crate) fn under_way(
        self: &Arc<Self>,
        generation: GenerationId,
        permit: OwnedSemaphorePermit,
    ) -> UnderWay {
        lock(&self.replies).push(generation);
        UnderWay { socket: self.clone(), generation, _permit: permit }
    }

    /// Ends it because its client must come back to see what it missed.
    pub(crate) fn must_come_back(&self) {
        self.end(End::Ours(Close::UNAVAILABLE));
    }

    /// Ends it when it was let in by this session, or by any when none is named.
    pub(crate) fn sign_out(&self, session: Option<SessionId>) {
        if self.session.is_some_and(|by| session.is_none_or(|closed| closed == by)) {
            self.end(End::Ours(Close::SIGNED_OUT));
        }
    }

    fn end(&self, end: End) {
        self.pulse.outbox.end(end);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.socket.replies).retain(|generation| *generation != self.generation);
    }
}
