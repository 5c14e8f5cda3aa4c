//! One reply on its way to one compat socket, from wherever the socket stands to the end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::ports::{BusEvent, LiveMessage};
use slipstream_domain::event::Terminal;
use slipstream_domain::{AttachmentId, ConversationId, Part, Run, Seq, TerminalStatus};
use slipstream_projections::{
    CloseKind, CompatCursor, GenerationLog, Output, QueryError, Transcript, Waited, generation_log, wait_for,
};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use uuid::Uuid;

use super::chat::refuse_chat;
use super::end_frames::end_frames;
use super::inline_picture::whole;
use super::listening::{Heard, Listening};
use super::news::Signal;
use super::reader::{Piece, Reader};
use super::tiers::Missing;
use crate::meters;
use crate::protocol::ErrorCode;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::{Delta, Reply, Socket, UnderWay};

/// How often it is noted where the socket stands, changed or not: a note that is not renewed is a dead gateway's.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// How often, and how far apart, the log is asked for an end that it has announced.
const END_TRIES: u32 = 30;
const END_PAUSE: Duration = Duration::from_secs(1);

/// A reply on its way to a socket.
pub(super) struct Stream {
    pub(super) shared: Arc<Shared>,
    pub(super) socket: Arc<Socket>,
    pub(super) listening: Listening,
    pub(super) conversation: ConversationId,
    pub(super) reader: Reader,
    pub(super) reply: Arc<Reply>,
    /// The socket's book of it.
    #[expect(dead_code, reason = "it is struck out when it is dropped")]
    pub(super) under_way: UnderWay,
    /// Names the cursor of this reply on this socket.
    pub(super) id: Uuid,
}

enum Wake {
    Heard(Heard),
    Note,
    SocketEnded(CloseKind),
}

/// Whether there is more to come.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    Over,
}

impl Stream {
    /// Sends everything until the reply or the socket ends, beginning with what has been `told` already. A socket that
    /// ends first leaves a note of where it stood.
    pub(super) async fn run(mut self, told: Option<GenerationLog>) {
        if let Some(told) = told
            && self.take_in(&told).await == Then::Over
        {
            return self.forget().await;
        }
        let mut notes = tokio::time::interval(NOTE_EVERY);
        notes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        loop {
            let wake = tokio::select! {
                biased;
                end = self.socket.ended() => Wake::SocketEnded(end.kind()),
                heard = self.listening.next() => Wake::Heard(heard),
                _ = notes.tick() => Wake::Note,
            };
            let then = match wake {
                Wake::SocketEnded(kind) => return self.note(Some(kind)).await,
                Wake::Heard(Heard::Live(event)) => {
                    heard_at = Instant::now();
                    self.live(event).await;
                    Then::GoOn
                }
                Wake::Heard(Heard::Signal(Signal::Ended(ended))) if ended == self.reader.generation() => {
                    self.end().await
                }
                Wake::Heard(Heard::Signal(Signal::Ended(_) | Signal::Changed)) => Then::GoOn,
                Wake::Heard(Heard::Signal(Signal::Look)) => self.look().await.unwrap_or(Then::GoOn),
                Wake::Note => {
                    self.note(None).await;
                    let silent = heard_at.elapsed() >= self.shared.settings.look_every;
                    let unheard = silent || !self.listening.is_live();
                    if silent {
                        heard_at = Instant::now();
                    }
                    let then = if unheard { self.look().await } else { None };
                    then.unwrap_or(Then::GoOn)
                }
            };
            if then == Then::Over {
                return self.forget().await;
            }
        }
    }

    async fn live(&mut self, event: BusEvent) {
        match event {
            BusEvent::Message(message) => {
                let pieces = self.reader.live(&message, self.shared.app.now()).await;
                match (pieces.as_slice(), &*message) {
                    // No more than what was heard, as nearly always: it need not wait for room.
                    (
                        [Piece::Output(Output { run, thinking_ms })],
                        LiveMessage::Output { run: heard, .. },
                    ) if run.count() <= heard.count() && run.attachment.is_none() => {
                        self.send(run.part, run.text.clone(), *thinking_ms, run.to());
                    }
                    (pieces, _) => self.send_all(pieces).await,
                }
            }
            BusEvent::Lagged => {
                let missing = self.reader.catch_up(self.reader.viewer().epoch(), Seq::START).await;
                self.send_all(&missing).await;
            }
        }
    }

    /// The end was announced: asks the log until it tells.
    async fn end(&mut self) -> Then {
        for _ in 0..END_TRIES {
            if let Some(then) = self.look().await {
                return then;
            }
            let socket = self.socket.clone();
            let socket_ended = timeout(END_PAUSE, async move { socket.ended().await });
            if self.noting(socket_ended).await.is_ok() {
                return Then::GoOn;
            }
        }
        self.give_up()
    }

    /// Asks the log once how the reply stands; `None` when it does not answer.
    async fn look(&mut self) -> Option<Then> {
        match generation_log(&self.shared.tiers.log, self.reader.generation()).await {
            Ok(told) => Some(self.take_in(&told).await),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, generation = %self.reader.generation(), "a reply cannot be read");
                match error {
                    QueryError::Unavailable(_) => None,
                    QueryError::Unreadable(_) => Some(self.give_up()),
                }
            }
        }
    }

    /// A reply that cannot be read ends all the same, because a compat client waits for the end for ever.
    fn give_up(&self) -> Then {
        let message = "The reply cannot be read; look again later.";
        let refusal = Refusal::new(ErrorCode::Unavailable, message);
        refuse_chat(&self.socket, &self.reply.head, refusal, self.shared.ids.uuid());
        Then::Over
    }

    async fn take_in(&mut self, told: &GenerationLog) -> Then {
        let missing = self.reader.take_in(told).await;
        self.send_all(&missing).await;
        match &told.terminal {
            Some((status, terminal)) => self.finish(told, *status, terminal).await,
            None => Then::GoOn,
        }
    }

    /// Everything up to the last delta is sent: the terminal frame, once the message can be read, and then the wait
    /// until it is written. A socket that ends before has not got it.
    async fn finish(&mut self, told: &GenerationLog, status: TerminalStatus, terminal: &Terminal) -> Then {
        // The append that ends a generation records the conversation's reply right after it.
        let recorded = told.last_position.next();
        let (log, conversation) = (self.shared.tiers.log.clone(), self.conversation);
        let patience = self.shared.settings.transcript_patience;
        let projected = async move { wait_for::<Transcript>(&log, conversation, recorded, patience).await };
        match self.noting(projected).await {
            Waited::Reached | Waited::Parked => {}
            Waited::TimedOut => meters::terminal_wait_timed_out(),
        }
        let mut whole = Missing::default();
        told.outputs.iter().for_each(|output| whole.add(&output.run, output.thinking_ms));
        self.room().await;
        self.socket.end_reply(&end_frames(&self.reply.head, whole, status, terminal), &self.reply);
        let (reply, socket) = (self.reply.clone(), self.socket.clone());
        self.noting(async move { written(&reply, socket.ended()).await }).await
    }

    /// A compat client cannot take back what it was shown, so of a reset it sees what comes after.
    async fn send_all(&mut self, pieces: &[Piece]) {
        let (mut missing, mut to) = (Missing::default(), Seq::START);
        for piece in pieces {
            let Piece::Output(Output { run, thinking_ms }) = piece else { continue };
            if let Some(picture) = run.attachment {
                self.send_missing(std::mem::take(&mut missing), to).await;
                self.send_picture(picture, run.to()).await;
            } else {
                missing.add(run, *thinking_ms);
            }
            to = run.to();
        }
        self.send_missing(missing, to).await;
    }

    /// Sends text and thinking that reach to a delta.
    async fn send_missing(&mut self, missing: Missing, to: Seq) {
        if missing == Missing::default() {
            return;
        }
        self.room().await;
        let Missing { text, thinking, thinking_ms } = missing;
        if !thinking.is_empty() {
            // Only the text, which is written after it, says how far the client is.
            let thought_to = if text.is_empty() { to } else { Seq::START };
            self.send(Part::Thinking, thinking, thinking_ms, thought_to);
        }
        self.send(Part::Text, text, thinking_ms, to);
    }

    /// Sends a picture; one that cannot be shown is left out.
    async fn send_picture(&mut self, picture: AttachmentId, to: Seq) {
        let (shared, user) = (self.shared.clone(), self.socket.user);
        let shown = self.noting(async move { whole(&shared, user, picture).await }).await;
        if shown.is_some() {
            self.room().await;
            let output = Output { run: Run::image(to, picture), thinking_ms: None };
            self.socket.delta(Delta { shown, ..Delta::of(self.reply.clone(), output) });
        }
    }

    fn send(&self, part: Part, text: String, thinking_ms: Option<u64>, to: Seq) {
        if !text.is_empty() {
            let (reply, from, offset) = (self.reply.clone(), Seq::START, 0);
            let (picture, shown) = (None, None);
            self.socket.delta(Delta { reply, part, text, thinking_ms, from, to, offset, picture, shown });
        }
    }

    async fn room(&mut self) {
        let socket = self.socket.clone();
        self.noting(async move { socket.room().await }).await;
    }

    /// Waits, and notes meanwhile where the socket stands: one that is slow is not dead.
    async fn noting<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        loop {
            match timeout(NOTE_EVERY, &mut what).await {
                Ok(done) => return done,
                Err(_) => self.note(None).await,
            }
        }
    }

    /// Notes where the socket stands, for the one that may replace it.
    async fn note(&mut self, closed: Option<CloseKind>) {
        let cursor = CompatCursor {
            user: self.socket.user,
            connection: self.id,
            socket: self.socket.id,
            fingerprint: self.socket.fingerprint,
            generation: self.reader.generation(),
            conversation: self.conversation,
            seq: self.reply.written(),
            closed,
            at: self.shared.app.now(),
        };
        if let Err(error) = self.shared.tiers.state.put_cursor(cursor).await {
            tracing::warn!(%error, "where a socket stands cannot be noted");
        }
    }

    async fn forget(&mut self) {
        if let Err(error) = self.shared.tiers.state.drop_cursor(self.socket.user, self.id).await {
            tracing::warn!(%error, "a socket's note cannot be dropped");
        }
    }
}

/// Whether the reply's end was written. That counts first: what was written before the socket ended is not sent again to
/// the next one.
async fn written<T>(reply: &Reply, socket_ended: impl Future<Output = T>) -> Then {
    tokio::select! {
        biased;
        () = reply.ended() => Then::Over,
        _ = socket_ended => Then::GoOn,
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use slipstream_domain::UserId;

    use super::super::chat::given_head;
    use super::*;
    use crate::protocol::Given;

    #[tokio::test]
    async fn an_end_that_was_written_counts_though_the_socket_has_ended_since() {
        for _ in 0..64 {
            let reply = Reply::new(given_head(UserId::from_uuid(Uuid::nil()), Given::default()), Seq::START);
            reply.set_ended();
            assert!(written(&reply, ready(())).await == Then::Over);
        }
    }
}
