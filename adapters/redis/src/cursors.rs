//! Where compat sockets stand. A cursor is a key of its own, so that each has its own end; a set names a user's.

use serde::{Deserialize, Serialize};
use slipstream_domain::{ConversationId, GenerationId, Seq, Timestamp, UserId};
use slipstream_projections::{CloseKind, CompatCursor, StreamStateError};
use uuid::Uuid;

use crate::connection::Connection;
use crate::keys;

/// How long a cursor is kept after its last word: twice what a client may take to come back.
const KEPT_SECONDS: u64 = 120;
/// Tries at an orphan while its siblings are taken or its socket speaks again; more than a user has sockets.
const TRIES: usize = 32;

/// Takes a cursor away if it is still what was read, so that of many takers one gets it, and none gets one whose socket
/// has spoken since.
const TAKE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('SREM', KEYS[2], ARGV[2])
    return redis.call('DEL', KEYS[1])
end
return 0";

/// A cursor as it is kept. The user and the connection are in the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    socket: Uuid,
    #[serde(with = "hex")]
    fingerprint: [u8; 32],
    generation: GenerationId,
    conversation: ConversationId,
    seq: Seq,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<Closed>,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Closed {
    Reload,
    Lost,
}

pub(crate) async fn put(redis: &Connection, cursor: CompatCursor) -> Result<(), StreamStateError> {
    let CompatCursor { user, connection, socket, fingerprint, generation, conversation, seq, closed, at } =
        cursor;
    let closed = closed.map(|closed| match closed {
        CloseKind::Reload => Closed::Reload,
        CloseKind::Lost => Closed::Lost,
    });
    let kept = Kept { socket, fingerprint, generation, conversation, seq, closed, at };
    let kept = serde_json::to_string(&kept).map_err(|e| StreamStateError::Unavailable(e.to_string()))?;
    let index = keys::cursors(user);
    let mut commands = redis::pipe();
    commands.atomic();
    commands.set_ex(keys::cursor(user, connection), kept, KEPT_SECONDS).ignore();
    commands.sadd(&index, connection.to_string()).ignore();
    commands.expire(&index, KEPT_SECONDS.cast_signed()).ignore();
    Ok(redis.call(&commands).await?)
}

pub(crate) async fn remove(
    redis: &Connection,
    user: UserId,
    connection: Uuid,
) -> Result<(), StreamStateError> {
    let mut commands = redis::pipe();
    commands.atomic();
    commands.del(keys::cursor(user, connection)).ignore();
    commands.srem(keys::cursors(user), connection.to_string()).ignore();
    Ok(redis.call(&commands).await?)
}

pub(crate) async fn take_orphan(
    redis: &Connection,
    user: UserId,
    is_orphan: impl Fn(&CompatCursor) -> bool,
) -> Result<Option<CompatCursor>, StreamStateError> {
    for _ in 0..TRIES {
        let cursors = of_user(redis, user).await?;
        let orphans = cursors.into_iter().filter(|(cursor, _)| is_orphan(cursor));
        let Some((oldest, kept)) = orphans.min_by_key(|(cursor, _)| cursor.at) else { return Ok(None) };
        let mut take = redis::pipe();
        take.cmd("EVAL").arg(TAKE).arg(2).arg(keys::cursor(user, oldest.connection));
        take.arg(keys::cursors(user)).arg(kept).arg(oldest.connection.to_string());
        let (taken,): (u32,) = redis.call(&take).await?;
        if taken == 1 {
            return Ok(Some(oldest));
        }
    }
    Ok(None)
}

/// A user's cursors, each with its text; the set forgets those that have ended.
async fn of_user(redis: &Connection, user: UserId) -> Result<Vec<(CompatCursor, String)>, StreamStateError> {
    let (connections,): (Vec<String>,) = redis.call(redis::pipe().smembers(keys::cursors(user))).await?;
    let connections: Vec<Uuid> = connections.iter().filter_map(|text| Uuid::try_parse(text).ok()).collect();
    if connections.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = connections.iter().map(|connection| keys::cursor(user, *connection)).collect();
    let (texts,): (Vec<Option<String>>,) = redis.call(redis::pipe().mget(names)).await?;
    let (mut cursors, mut ended) = (Vec::new(), Vec::new());
    for (connection, text) in connections.into_iter().zip(texts) {
        let cursor = text.and_then(|text| Some((parse(user, connection, &text)?, text)));
        match cursor {
            Some(cursor) => cursors.push(cursor),
            None => ended.push(connection.to_string()),
        }
    }
    if !ended.is_empty() {
        let mut forget = redis::pipe();
        forget.srem(keys::cursors(user), ended).ignore();
        redis.call::<()>(&forget).await?;
    }
    Ok(cursors)
}

fn parse(user: UserId, connection: Uuid, text: &str) -> Option<CompatCursor> {
    let kept: Kept = serde_json::from_str(text).ok()?;
    let Kept { socket, fingerprint, generation, conversation, seq, closed, at } = kept;
    let closed = closed.map(|closed| match closed {
        Closed::Reload => CloseKind::Reload,
        Closed::Lost => CloseKind::Lost,
    });
    Some(CompatCursor { user, connection, socket, fingerprint, generation, conversation, seq, closed, at })
}
