//! A compat client that comes back says nothing: the new socket takes over a reply that its earlier socket had under
//! way, from the last delta written there, or from the beginning when the page was loaded anew.

use std::sync::Arc;
use std::time::Duration;

use slipstream_domain::{Epoch, Generation, Seq, Timestamp};
use slipstream_projections::{CloseKind, CompatCursor, GenerationLog, QueryError, generation_log};
use tokio::sync::OwnedSemaphorePermit;

use super::chat::head_of;
use super::stream::{Listening, Stream};
use super::viewer::Viewer;
use crate::shared::Shared;
use crate::socket::{Reply, Socket};

/// How long after its end a socket's reply may be taken over (`04-streaming-and-resume`, "Other rules").
const WINDOW: Duration = Duration::from_mins(1);
/// A note is renewed each second; one this old is a dead gateway's.
const SILENCE: Duration = Duration::from_secs(5);

/// Takes over the oldest reply that waits for this client, if any, and follows it to its end.
pub(crate) async fn take_over(shared: Arc<Shared>, socket: Arc<Socket>, permit: OwnedSemaphorePermit) {
    let now = shared.app.now();
    let orphan = shared
        .tiers
        .state
        .take_orphan(socket.user, socket.fingerprint, before(now, WINDOW), before(now, SILENCE))
        .await;
    let orphan = orphan.unwrap_or_else(|error| {
        tracing::warn!(%error, "a returning client cannot be recognised");
        None
    });
    let Some(cursor) = orphan else { return };
    match resume(&shared, &socket, cursor, permit).await {
        Ok(Some((stream, told))) => stream.run(Some(told)).await,
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a reply cannot be taken over");
            // For the next try of the same client.
            if let Err(error) = shared.tiers.state.put_cursor(cursor).await {
                tracing::warn!(%error, "where a socket stands cannot be noted");
            }
        }
    }
}

async fn resume(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    cursor: CompatCursor,
    permit: OwnedSemaphorePermit,
) -> Result<Option<(Stream, GenerationLog)>, QueryError> {
    let listening = Listening::to(shared, cursor.conversation).await;
    let told = generation_log(&shared.tiers.log, cursor.generation).await?;
    let seq = match cursor.closed {
        // The page that was loaded anew has read what is over.
        Some(CloseKind::Reload) if told.terminal.is_some() => return Ok(None),
        Some(CloseKind::Reload) => Seq::START,
        Some(CloseKind::Lost) | None => cursor.seq,
    };
    let Some(request) = told.state.request() else { return Ok(None) };
    let asked = &request.asked;
    let head = head_of(socket.user, cursor.conversation, &asked.provider, &asked.model, asked.params);
    let stream = Stream {
        id: shared.ids.uuid(),
        under_way: socket.under_way(cursor.generation, permit),
        shared: shared.clone(),
        socket: socket.clone(),
        listening,
        conversation: cursor.conversation,
        generation: cursor.generation,
        viewer: Viewer::at(epoch_of(&told), seq),
        reply: Reply::new(head, seq),
    };
    Ok(Some((stream, told)))
}

/// The current epoch. A cursor does not say which one it is of; what a compat client has of an earlier one holds in
/// this one, but for what was shown and never recorded, and that cannot be taken back from it.
fn epoch_of(told: &GenerationLog) -> Epoch {
    match &told.state {
        Generation::Unknown | Generation::Requested(_) => Epoch::FIRST,
        Generation::Streaming(_, made) => made.epoch,
        Generation::Ended { made, .. } => made.as_ref().map_or(Epoch::FIRST, |made| made.epoch),
    }
}

fn before(now: Timestamp, long: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros() - i64::try_from(long.as_micros()).unwrap_or(i64::MAX))
}
