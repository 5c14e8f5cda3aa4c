//! Writes what waits in a socket's outbox, as much at once as is there, and watches that the client takes it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::SinkExt;
use futures::stream::SplitSink;
use slipstream_domain::Seq;
use tokio::time::timeout;

use super::close::{Close, End};
use super::heartbeat::{Heartbeats, Pulse};
use super::outbox::{Item, Next, Reply};
use crate::meters;

/// Frames are flushed together up to about this many bytes: few system calls, and a stalled client is noticed soon.
const BURST_BYTES: usize = 32 * 1024;

/// What is known to be written once the burst is flushed.
#[derive(Default)]
struct Burst {
    bytes: usize,
    pinged: bool,
    deltas: Vec<(Arc<Reply>, Seq)>,
    ended: Vec<Arc<Reply>>,
}

/// Writes until the socket ends; a client that takes nothing for `stall` ends it.
pub(super) async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    pulse: &Pulse,
    heartbeats: &Heartbeats,
    stall: Duration,
) {
    loop {
        let first = pulse.outbox.next().await;
        match timeout(stall, write_burst(sink, pulse, heartbeats, first)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return,
            Ok(Err(_)) => return pulse.outbox.end(End::Broken),
            Err(_) => return pulse.outbox.end(End::Ours(Close::TOO_SLOW)),
        }
    }
}

/// Writes what waits; false when the socket has ended.
async fn write_burst(
    sink: &mut SplitSink<WebSocket, Message>,
    pulse: &Pulse,
    heartbeats: &Heartbeats,
    first: Next,
) -> Result<bool, axum::Error> {
    let (mut next, mut burst) = (Some(first), Burst::default());
    while let Some(what) = next {
        match what {
            Next::Item(item) => sink.feed(burst.message(item)).await?,
            Next::Ping => {
                burst.pinged = true;
                sink.feed(Message::Ping(Vec::new().into())).await?;
            }
            Next::Ended => return Ok(false),
        }
        next = if burst.bytes < BURST_BYTES { pulse.outbox.try_next() } else { None };
    }
    sink.flush().await?;
    burst.flushed(pulse, heartbeats);
    Ok(true)
}

impl Burst {
    fn message(&mut self, item: Item) -> Message {
        let (name, json) = match item {
            Item::Frame { name, json, ends } => {
                self.ended.extend(ends);
                (name, json)
            }
            Item::Delta(delta) => {
                self.deltas.push((delta.reply.clone(), delta.to));
                let frame = delta.frame();
                (frame.name(), serde_json::to_string(&frame).unwrap_or_default())
            }
        };
        meters::frame_out(name);
        self.bytes += json.len();
        Message::Text(json.into())
    }

    fn flushed(self, pulse: &Pulse, heartbeats: &Heartbeats) {
        if self.pinged {
            heartbeats.pinged(pulse);
        }
        self.deltas.iter().for_each(|(reply, to)| reply.set_written(*to));
        self.ended.iter().for_each(|reply| reply.set_ended());
    }
}
