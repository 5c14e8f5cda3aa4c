//! The life of one socket, in one task: reading, writing and what its user's other sockets tell, until one of them, the
//! heartbeat or the drain ends it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::stream::{SplitSink, SplitStream, iter};
use futures::{SinkExt, StreamExt};
use slipstream_commands::ports::SignedIn;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use uuid::Uuid;

use super::accept::Admission;
use super::close::{Close, End};
use super::established::established;
use super::heartbeat::Pulse;
use super::token_bucket::TokenBucket;
use super::{Socket, Speaks, Subscriptions, answer, writer};
use crate::hub;
use crate::meters::OpenSocket;
use crate::shared::Shared;

/// How long replies under way have to note where the socket stood.
const NOTES: Duration = Duration::from_secs(1);

pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) socket: Arc<Socket>,
    _counted: Admission,
    _open: OpenSocket,
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        signed_in: SignedIn,
        fingerprint: [u8; 32],
        speaks: Speaks,
        counted: Admission,
    ) -> Self {
        let socket = Socket {
            id: shared.ids.uuid(),
            user: signed_in.user,
            session: signed_in.session,
            fingerprint,
            speaks,
            subscriptions: Subscriptions::default(),
            pulse: Arc::new(Pulse::default()),
            in_flight: Arc::new(Semaphore::new(shared.settings.max_in_flight as usize)),
            replies: Mutex::default(),
        };
        shared.tenures.watch(signed_in, &socket.pulse);
        Self { shared, socket: Arc::new(socket), _counted: counted, _open: OpenSocket::count() }
    }

    pub(super) async fn run(
        self,
        mut sink: SplitSink<WebSocket, Message>,
        mut stream: SplitStream<WebSocket>,
    ) {
        let Self { shared, socket, .. } = &self;
        shared.heartbeats.watch(&socket.pulse);
        match socket.speaks {
            Speaks::Compat => self.take_over(),
            Speaks::V1 => socket.frame(&established(shared, socket).await),
        }
        tokio::select! {
            () = writer::write(&mut sink, &socket.pulse, &shared.heartbeats, shared.settings.stall) => {}
            () = self.read(&mut stream) => {}
            () = hub::relay_to(shared, socket) => {}
            () = self.drained() => socket.end(End::Ours(Close::DRAINING)),
            // By the heartbeat, or by whoever put too much: the writer may be stuck.
            _ = socket.ended() => {}
        }
        socket.end(End::Broken);
        socket.subscriptions.end_all();
        // The notes are made before the close is answered: a client that waits for the answer finds them.
        let notes = socket.in_flight.acquire_many(shared.settings.max_in_flight);
        if timeout(NOTES, notes).await.is_err() {
            tracing::warn!("a socket's replies did not note where it stood in time");
        }
        // A client that does not wait for our leave misses nothing by it.
        let parting = part(socket.ended().await, shared.ids.uuid(), sink, stream);
        drop(timeout(shared.settings.goodbye, parting).await);
    }

    /// Waits for the drain, and then, bounded, for the ends of the replies under way. Of a v1 client only what it is
    /// posting is waited for: its streams go on elsewhere from exactly what was written.
    async fn drained(&self) {
        let Self { shared, socket, .. } = self;
        shared.drain.cancelled().await;
        let ends = socket.in_flight.acquire_many(shared.settings.max_in_flight);
        if timeout(shared.settings.drain, ends).await.is_err() {
            tracing::info!("a socket is closed by the drain before its replies have ended");
        }
    }

    /// A client that comes back asks for nothing; it gets what its earlier socket had under way.
    fn take_over(&self) {
        self.shared.tasks.spawn(hub::take_over(self.shared.clone(), self.socket.clone()));
    }

    /// Reads until the client ends the socket or gives a reason to.
    async fn read(&self, stream: &mut SplitStream<WebSocket>) {
        let mut bucket = TokenBucket::full(self.shared.settings.frames_per_second, Instant::now());
        while let Some(message) = stream.next().await {
            self.socket.pulse.alive();
            if !bucket.take(Instant::now()) {
                return self.socket.end(End::Ours(Close::TOO_MANY_FRAMES));
            }
            match message {
                Ok(Message::Text(text)) => answer::text(self, &text).await,
                Ok(Message::Binary(_)) => answer::binary(self),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(close)) => {
                    return self.socket.end(End::Theirs(close.map(|close| close.code)));
                }
                Err(error) => return self.socket.end(read_end(error)),
            }
        }
        self.socket.end(End::Broken);
    }
}

/// What a failed read means for the socket (RFC 6455, 7.4.1 and 8.1).
fn read_end(error: axum::Error) -> End {
    let Ok(error) = error.into_inner().downcast::<Error>() else { return End::Broken };
    if matches!(*error, Error::Utf8(_)) {
        End::Ours(Close::INVALID_UTF8)
    } else if matches!(*error, Error::Capacity(_)) {
        End::Ours(Close::FRAME_TOO_LARGE)
    } else if matches!(*error, Error::Protocol(ref what) if *what != ProtocolError::ResetWithoutClosingHandshake)
    {
        End::Ours(Close::PROTOCOL)
    } else {
        End::Broken
    }
}

/// Takes leave: says why we close, or sends the answer to the client's close, which the socket has ready.
async fn part(
    end: End,
    request_id: Uuid,
    mut sink: SplitSink<WebSocket, Message>,
    mut stream: SplitStream<WebSocket>,
) {
    match end {
        End::Ours(close) => {
            if sink.send_all(&mut iter(close.farewell(request_id).map(Ok))).await.is_ok() {
                while let Some(Ok(_)) = stream.next().await {}
            }
        }
        End::Theirs(_) => drop(sink.close().await),
        End::Broken => {}
    }
}
