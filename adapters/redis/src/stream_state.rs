//! The port, as commands to Redis (`04-streaming-and-resume`, "Tiers").

use async_trait::async_trait;
use redis::RedisError;
use slipstream_domain::{Seq, Timestamp, UserId};
use slipstream_projections::{CompatCursor, Output, StreamKey, StreamState, StreamStateError};
use uuid::Uuid;

use crate::connection::{CallError, Connection};
use crate::settings::{RedisSettings, SettingsError};
use crate::{cursors, entry, keys};

/// How long a reply is kept while it is made.
const LIVE_SECONDS: i64 = 24 * 60 * 60;
/// How long after its end.
const ENDED_SECONDS: i64 = 10 * 60;
/// The life of a key begins anew with every so many deltas, not with each: half the commands, and no reply takes hours
/// for so few.
const RENEWED_EACH: u64 = 256;
/// The one field of an entry.
const FIELD: &str = "o";

/// An entry as Redis gives it: its id, and its one field with its value.
type Entry = (String, (String, Vec<u8>));

/// Stream state in Redis. Cheap to clone; clones share the connection.
#[derive(Debug, Clone)]
pub struct RedisStreamState {
    redis: Connection,
}

impl RedisStreamState {
    /// Connects with the first call, so that a process starts without its Redis as it goes on without it.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(settings: &RedisSettings) -> Result<Self, SettingsError> {
        Ok(Self { redis: Connection::new(settings)? })
    }

    /// Whether Redis answers, for readiness.
    ///
    /// # Errors
    /// [`StreamStateError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StreamStateError> {
        Ok(self.redis.call(redis::pipe().cmd("PING").ignore()).await?)
    }
}

#[async_trait]
impl StreamState for RedisStreamState {
    async fn seed(&self, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError> {
        let name = keys::stream(key);
        let mut commands = redis::pipe();
        commands.atomic().del(&name).ignore();
        for output in outputs {
            commands.xadd(&name, entry::id(output), &[(FIELD, entry::encode(output))]).ignore();
        }
        commands.expire(&name, LIVE_SECONDS).ignore();
        Ok(self.redis.call(&commands).await?)
    }

    async fn append(&self, key: StreamKey, output: &Output) -> Result<(), StreamStateError> {
        let name = keys::stream(key);
        let mut command = redis::pipe();
        command.cmd("XADD").arg(&name).arg("NOMKSTREAM").arg(entry::id(output));
        command.arg(FIELD).arg(entry::encode(output));
        match self.redis.call::<(Option<String>,)>(&command).await {
            Ok((Some(_),)) => {}
            Ok((None,)) => return Err(StreamStateError::Lost),
            Err(CallError::Refused(error)) if is_below_top(&error) => return Err(StreamStateError::Stale),
            Err(error) => return Err(error.into()),
        }
        if (output.run.from.0 - 1) / RENEWED_EACH < output.run.to().0 / RENEWED_EACH {
            self.redis.call::<()>(redis::pipe().expire(name, LIVE_SECONDS).ignore()).await?;
        }
        Ok(())
    }

    async fn read_after(&self, key: StreamKey, seq: Seq) -> Result<Option<Vec<Output>>, StreamStateError> {
        let name = keys::stream(key);
        let mut commands = redis::pipe();
        // One transaction: between the two the key could go, and nothing would look like nothing new.
        commands.atomic().exists(&name);
        commands.xrange(&name, format!("({}-0", seq.0), "+");
        let (exists, entries): (bool, Vec<Entry>) = self.redis.call(&commands).await?;
        if !exists {
            return Ok(None);
        }
        let outputs = whole(seq, entries);
        if outputs.is_none() {
            metrics::counter!("slipstream_stream_state_unreadable_total").increment(1);
            tracing::warn!(generation.id = %key.generation, "a stream in Redis has a hole or cannot be read");
        }
        Ok(outputs)
    }

    async fn top(&self, key: StreamKey) -> Result<Option<Seq>, StreamStateError> {
        let mut command = redis::pipe();
        command.xrevrange_count(keys::stream(key), "+", "-", 1);
        let (entries,): (Vec<Entry>,) = self.redis.call(&command).await?;
        Ok(entries.first().and_then(|(id, _)| entry::seq(id).ok()))
    }

    async fn ended(&self, key: StreamKey) -> Result<(), StreamStateError> {
        Ok(self.redis.call(redis::pipe().expire(keys::stream(key), ENDED_SECONDS).ignore()).await?)
    }

    async fn put_cursor(&self, cursor: CompatCursor) -> Result<(), StreamStateError> {
        cursors::put(&self.redis, cursor).await
    }

    async fn take_orphan(
        &self,
        user: UserId,
        fingerprint: [u8; 32],
        not_before: Timestamp,
        silent_before: Timestamp,
    ) -> Result<Option<CompatCursor>, StreamStateError> {
        let is_orphan = |cursor: &CompatCursor| {
            cursor.fingerprint == fingerprint
                && cursor.at >= not_before
                && (cursor.closed.is_some() || cursor.at < silent_before)
        };
        cursors::take_orphan(&self.redis, user, is_orphan).await
    }

    async fn drop_cursor(&self, user: UserId, connection: Uuid) -> Result<(), StreamStateError> {
        cursors::remove(&self.redis, user, connection).await
    }
}

/// Redis refuses an id that is not above the stream's last one. It has no code for that, only words.
fn is_below_top(error: &RedisError) -> bool {
    error.to_string().contains("equal or smaller than the target stream top item")
}

/// What comes after `seq`, cut there; `None` when it is not gapless or not ours: then the log is the one to ask.
fn whole(seq: Seq, entries: Vec<Entry>) -> Option<Vec<Output>> {
    let mut outputs: Vec<Output> = Vec::with_capacity(entries.len());
    for (id, (_, bytes)) in entries {
        let Output { run, thinking_ms } = entry::decode(entry::seq(&id).ok()?, &bytes).ok()?;
        let follows = outputs.last().is_none_or(|last| run.from == last.run.to().next());
        let run = run.after(seq).filter(|_| follows)?;
        outputs.push(Output { run, thinking_ms });
    }
    Some(outputs)
}

#[cfg(test)]
mod tests {
    use slipstream_domain::{Part, Run};

    use super::*;

    fn entries(outputs: &[(u64, &str)]) -> Vec<Entry> {
        let entry = |(seq, text): &(u64, &str)| {
            let run = Run::delta(Seq(*seq), Part::Text, *seq, (*text).to_owned());
            let output = Output { run, thinking_ms: None };
            (entry::id(&output), (FIELD.to_owned(), entry::encode(&output)))
        };
        outputs.iter().map(entry).collect()
    }

    #[test]
    fn a_stream_with_a_hole_is_no_stream() {
        assert_eq!(whole(Seq(2), entries(&[(3, "a"), (4, "b")])).map(|outputs| outputs.len()), Some(2));
        assert_eq!(whole(Seq(2), entries(&[(3, "a"), (5, "b")])), None);
    }
}
