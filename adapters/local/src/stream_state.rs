//! The stream state of one process: what each running reply has said so far, for readers that missed some of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_domain::{Seq, Timestamp, UserId};
use slipstream_projections::{CompatCursor, Output, StreamKey, StreamState, StreamStateError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::cursors::Cursors;
use crate::lock;

/// How long a reply is kept while it is made (`04-streaming-and-resume`, "Tiers").
const LIVE: Duration = Duration::from_hours(24);
/// How long after its end, while there is room.
const ENDED: Duration = Duration::from_mins(10);
/// Bytes of ended replies at most, whose readers have the log; the one that ended first goes first. What is still made is
/// bounded by the worker: by its places and by the longest answer.
const MOST_ENDED: usize = 16 * 1024 * 1024;
/// How often what has expired is dropped. There is no timer: a write after this long does it.
const SWEEP: Duration = Duration::from_secs(10);
/// Output is joined up to this many bytes: few allocations, and little to copy when a reader is served from the middle.
const BLOCK: usize = 8 * 1024;

/// Stream state in memory.
#[derive(Debug, Default)]
pub struct InProcessStreamState {
    streams: Mutex<Streams>,
    cursors: Mutex<Cursors>,
}

#[derive(Debug, Default)]
struct Streams {
    by_key: HashMap<StreamKey, Kept>,
    /// What ended, by when. What was written to again since, or is gone, stands here in vain.
    ended: VecDeque<(Instant, StreamKey)>,
    ended_bytes: usize,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Kept {
    outputs: Vec<Output>,
    bytes: usize,
    expires: Instant,
    /// When it ended.
    ended: Option<Instant>,
}

impl InProcessStreamState {
    /// No streams yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl StreamState for InProcessStreamState {
    async fn append(&self, key: StreamKey, output: &Output) -> Result<(), StreamStateError> {
        let now = Instant::now();
        let mut streams = lock(&self.streams);
        let kept = streams.live(key, now).ok_or(StreamStateError::Lost)?;
        if kept.top().is_some_and(|top| output.run.from <= top) {
            return Err(StreamStateError::Stale);
        }
        let no_more_ended = kept.ended.take().map_or(0, |_| kept.bytes);
        kept.push(output);
        kept.expires = now + LIVE;
        streams.ended_bytes -= no_more_ended;
        Ok(())
    }

    async fn seed(&self, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError> {
        let now = Instant::now();
        let mut kept = Kept { outputs: Vec::new(), bytes: 0, expires: now + LIVE, ended: None };
        for output in outputs {
            kept.push(output);
        }
        let mut streams = lock(&self.streams);
        streams.sweep(now);
        streams.remove(key);
        streams.by_key.insert(key, kept);
        Ok(())
    }

    async fn read_after(&self, key: StreamKey, seq: Seq) -> Result<Option<Vec<Output>>, StreamStateError> {
        Ok(lock(&self.streams).live(key, Instant::now()).map(|kept| kept.after(seq)))
    }

    async fn top(&self, key: StreamKey) -> Result<Option<Seq>, StreamStateError> {
        Ok(lock(&self.streams).live(key, Instant::now()).and_then(|kept| kept.top()))
    }

    async fn ended(&self, key: StreamKey) -> Result<(), StreamStateError> {
        lock(&self.streams).end(key, Instant::now());
        Ok(())
    }

    async fn put_cursor(&self, cursor: CompatCursor) -> Result<(), StreamStateError> {
        lock(&self.cursors).put(cursor, Instant::now());
        Ok(())
    }

    async fn take_orphan(
        &self,
        user: UserId,
        fingerprint: [u8; 32],
        not_before: Timestamp,
        silent_before: Timestamp,
    ) -> Result<Option<CompatCursor>, StreamStateError> {
        Ok(lock(&self.cursors).take_orphan(user, fingerprint, not_before, silent_before))
    }

    async fn drop_cursor(&self, user: UserId, connection: Uuid) -> Result<(), StreamStateError> {
        lock(&self.cursors).remove(user, connection);
        Ok(())
    }
}

impl Streams {
    fn live(&mut self, key: StreamKey, now: Instant) -> Option<&mut Kept> {
        self.sweep(now);
        self.by_key.get_mut(&key).filter(|kept| kept.expires > now)
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now.duration_since(swept) >= SWEEP) {
            let ended_bytes = &mut self.ended_bytes;
            self.by_key.retain(|_, kept| {
                let stays = kept.expires > now;
                if !stays && kept.ended.is_some() {
                    *ended_bytes -= kept.bytes;
                }
                stays
            });
            while self.ended.pop_front_if(|(at, _)| *at + ENDED <= now).is_some() {}
            self.swept = Some(now);
        }
    }

    fn end(&mut self, key: StreamKey, now: Instant) {
        let Some(kept) = self.live(key, now).filter(|kept| kept.ended.is_none()) else { return };
        kept.ended = Some(now);
        kept.expires = now + ENDED;
        self.ended_bytes += kept.bytes;
        self.ended.push_back((now, key));
        while self.ended_bytes > MOST_ENDED
            && let Some((at, key)) = self.ended.pop_front()
        {
            if self.by_key.get(&key).is_some_and(|kept| kept.ended == Some(at)) {
                self.remove(key);
            }
        }
    }

    fn remove(&mut self, key: StreamKey) {
        if let Some(kept) = self.by_key.remove(&key).filter(|kept| kept.ended.is_some()) {
            self.ended_bytes -= kept.bytes;
        }
    }
}

impl Kept {
    fn top(&self) -> Option<Seq> {
        self.outputs.last().map(|output| output.run.to())
    }

    fn push(&mut self, output: &Output) {
        let mut output = output.clone();
        self.bytes += output.run.text.len() + size_of_val(output.run.ends.as_slice());
        if let Some(last) = self.outputs.last_mut().filter(|last| last.run.text.len() < BLOCK) {
            match last.try_merge(output) {
                Ok(()) => return,
                Err(other) => output = other,
            }
        }
        self.bytes += size_of::<Output>();
        self.outputs.push(output);
    }

    fn after(&self, seq: Seq) -> Vec<Output> {
        let first = self.outputs.partition_point(|output| output.run.to() <= seq);
        let cut = |output: &Output| {
            let run = output.run.clone().after(seq)?;
            Some(Output { run, thinking_ms: output.thinking_ms })
        };
        self.outputs[first..].iter().filter_map(cut).collect()
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::{Epoch, GenerationId, Part, Run};

    use super::*;

    fn key(n: u128) -> StreamKey {
        StreamKey { generation: GenerationId::from_uuid(Uuid::from_u128(n)), epoch: Epoch::FIRST }
    }

    fn delta(seq: u64) -> Output {
        Output { run: Run::delta(Seq(seq), Part::Text, seq - 1, "x".into()), thinking_ms: None }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_is_gone_after_ten_minutes_and_what_lives_after_a_day_of_silence() {
        let state = InProcessStreamState::new();
        for n in 0..2 {
            state.seed(key(n), &[delta(1)]).await.unwrap();
        }
        state.ended(key(0)).await.unwrap();
        tokio::time::advance(ENDED).await;
        assert_eq!(state.top(key(0)).await.unwrap(), None);
        assert_eq!(state.top(key(1)).await.unwrap(), Some(Seq(1)));
        tokio::time::advance(LIVE).await;
        assert_eq!(state.top(key(1)).await.unwrap(), None);
        assert!(lock(&state.streams).by_key.is_empty(), "and nothing of them is left");
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_has_ended_the_latest_sixteen_mebibytes_are_kept_and_of_what_lives_everything() {
        let state = InProcessStreamState::new();
        let long = Run::delta(Seq(1), Part::Text, 0, "x".repeat(1024 * 1024));
        let long = [Output { run: long, thinking_ms: None }];
        for n in 0..40 {
            state.seed(key(n), &long).await.unwrap();
        }
        // The first goes on after its end, the second ends twice.
        state.ended(key(0)).await.unwrap();
        let more = Run::delta(Seq(2), Part::Text, 1024 * 1024, "y".into());
        state.append(key(0), &Output { run: more, thinking_ms: None }).await.unwrap();
        for n in [1, 1].into_iter().chain(2..30) {
            state.ended(key(n)).await.unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let kept = |streams: &Streams| {
            let mut kept: Vec<_> = (0..40).filter(|n| streams.by_key.contains_key(&key(*n))).collect();
            kept.sort_unstable();
            kept
        };
        let expected: Vec<_> = [0].into_iter().chain(15..40).collect();
        assert_eq!(kept(&lock(&state.streams)), expected, "15 and not 16: each is a little over its text");
        tokio::time::advance(ENDED).await;
        state.seed(key(0), &[]).await.unwrap();
        let streams = lock(&state.streams);
        assert_eq!(kept(&streams), [0].into_iter().chain(30..40).collect::<Vec<_>>());
        assert_eq!((streams.ended_bytes, streams.ended.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_long_reply_is_kept_in_few_blocks_and_can_be_read_from_anywhere() {
        let state = InProcessStreamState::new();
        state.seed(key(0), &[delta(1)]).await.unwrap();
        for seq in 2..=20_000 {
            state.append(key(0), &delta(seq)).await.unwrap();
        }
        assert_eq!(lock(&state.streams).by_key[&key(0)].outputs.len(), 20_000usize.div_ceil(BLOCK));
        for seq in [0, 1, 8191, 8192, 8193, 19_999, 20_000] {
            let outputs = state.read_after(key(0), Seq(seq)).await.unwrap().unwrap();
            let read: u64 = outputs.iter().map(|output| output.run.count()).sum();
            assert_eq!(read, 20_000 - seq);
            assert_eq!(outputs.first().map(|output| output.run.from), (read > 0).then_some(Seq(seq + 1)));
        }
    }
}
