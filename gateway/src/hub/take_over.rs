//! A compat client that comes back says nothing: the new socket takes over a reply that its earlier socket had under
//! way, from the last delta written there, or from the beginning when the page was loaded anew.

use std::sync::Arc;
use std::time::Duration;

use slipstream_domain::{Seq, Timestamp};
use slipstream_projections::{CloseKind, CompatCursor, GenerationLog, QueryError, generation_log};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::chat::head_of;
use super::listening::Listening;
use super::reader::Reader;
use super::stream::Stream;
use super::viewer::Viewer;
use crate::shared::Shared;
use crate::socket::{Reply, Socket};

/// How long after its end a socket's reply may be taken over (`04-streaming-and-resume`, "Other rules").
const WINDOW: Duration = Duration::from_mins(1);
/// A note is renewed each second; one this old is a dead gateway's.
const SILENCE: Duration = Duration::from_secs(5);

/// How often it is looked for what waits: the earlier socket may be dead for long before that is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long a socket counts as new, and takes whatever waits. Later it leaves alone what another that comes back may want:
/// pages that went away, which were other tabs, and what has not waited for [`SILENCE`] yet.
const NEW: Duration = Duration::from_secs(2);

/// Takes over the replies that wait for this client, if any: those of its earlier socket, which may live for a while yet.
/// Looks for them until it has some, or one of its own, or nothing can wait for it any more.
pub(crate) async fn take_over(shared: Arc<Shared>, socket: Arc<Socket>) {
    let begun = Instant::now();
    while begun.elapsed() < WINDOW && socket.replies().is_empty() {
        let orphans = orphans_for(&shared, &socket, begun.elapsed() < NEW).await;
        for cursor in orphans {
            go_on(&shared, &socket, cursor).await;
        }
        if timeout(LOOK_EVERY, socket.ended()).await.is_ok() {
            return;
        }
    }
}

/// Takes the replies of the socket that is gone the longest; what is another's is put back.
async fn orphans_for(shared: &Shared, socket: &Socket, new: bool) -> Vec<CompatCursor> {
    let (mut mine, mut others) = (Vec::<CompatCursor>::new(), Vec::new());
    let now = shared.app.now();
    let is_anothers = |cursor: &CompatCursor| {
        !new && (cursor.closed == Some(CloseKind::Reload) || cursor.at >= before(now, SILENCE))
    };
    loop {
        let taken = shared
            .tiers
            .state
            .take_orphan(socket.user, socket.fingerprint, before(now, WINDOW), before(now, SILENCE))
            .await;
        match taken {
            Ok(Some(cursor)) => {
                let of_one_socket = mine.first().is_none_or(|first| first.socket == cursor.socket);
                let whose = if of_one_socket && !is_anothers(&cursor) { &mut mine } else { &mut others };
                whose.push(cursor);
            }
            Ok(None) => break,
            Err(error) => {
                tracing::warn!(%error, "a returning client cannot be recognised");
                break;
            }
        }
    }
    for cursor in others {
        put_back(shared, cursor).await;
    }
    mine
}

/// For the next try of the same client.
async fn put_back(shared: &Shared, cursor: CompatCursor) {
    if let Err(error) = shared.tiers.state.put_cursor(cursor).await {
        tracing::warn!(%error, "where a socket stands cannot be noted");
    }
}

async fn go_on(shared: &Arc<Shared>, socket: &Arc<Socket>, cursor: CompatCursor) {
    // The earlier socket had no more replies than this one may have; what the client asks meanwhile takes their places.
    let Some(permit) = socket.permit() else { return put_back(shared, cursor).await };
    match resume(shared, socket, cursor, permit).await {
        Ok(Some((stream, told))) => drop(shared.tasks.spawn(stream.run(Some(told)))),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a reply cannot be taken over");
            put_back(shared, cursor).await;
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
    // A cursor does not say which epoch it is of. What a compat client has of an earlier one holds in the current one, but
    // for what was shown and never recorded, and that cannot be taken back from it.
    let stream = Stream {
        id: shared.ids.uuid(),
        under_way: socket.under_way(cursor.generation, permit),
        shared: shared.clone(),
        socket: socket.clone(),
        listening,
        conversation: cursor.conversation,
        reader: Reader::new(shared.tiers.clone(), cursor.generation, Viewer::at(told.epoch(), seq)),
        reply: Reply::new(head, seq),
    };
    Ok(Some((stream, told)))
}

fn before(now: Timestamp, long: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros() - i64::try_from(long.as_micros()).unwrap_or(i64::MAX))
}
