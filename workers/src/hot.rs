//! The stream state's copy of what one owner has shown. Written behind the live frames, one write at a time, so that a
//! slow or lost stream state never holds up a reply; what it loses is seeded again from memory.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use slipstream_domain::Seq;
use slipstream_projections::{Output, StreamKey, StreamState, StreamStateError};
use tokio::time::Instant;

/// The pause after a stream state that did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end of a reply waits for the stream state; readers have the log.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One epoch's key and what belongs into it.
pub(crate) struct Hot {
    state: Arc<dyn StreamState>,
    key: StreamKey,
    /// Everything shown in this epoch, to seed the key with.
    shown: Vec<Output>,
    /// What of it is not written yet. Only kept while the key is right but for it.
    waiting: Vec<Output>,
    /// Whether the key holds all that was shown but for what waits or is being written.
    right: bool,
    not_before: Option<Instant>,
    write: Option<BoxFuture<'static, Result<(), StreamStateError>>>,
}

impl Hot {
    pub(crate) fn new(state: Arc<dyn StreamState>, key: StreamKey) -> Self {
        let (shown, waiting) = (Vec::new(), Vec::new());
        Self { state, key, shown, waiting, right: false, not_before: None, write: None }
    }

    /// Everything shown in this epoch.
    pub(crate) fn shown(&self) -> &[Output] {
        &self.shown
    }

    /// This was shown.
    pub(crate) fn push(&mut self, output: Output) {
        if self.right {
            join(&mut self.waiting, output.clone());
        }
        join(&mut self.shown, output);
    }

    /// Begins to write what waits, unless a write is under way or the stream state was just seen not to answer.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.write.is_some() || self.not_before.is_some_and(|not_before| now < not_before) {
            return;
        }
        let (state, key) = (Arc::clone(&self.state), self.key);
        if !self.right && !self.shown.is_empty() {
            let outputs = self.shown.clone();
            self.right = true;
            self.write = Some(async move { state.seed(key, &outputs).await }.boxed());
        } else if !self.waiting.is_empty() {
            let outputs = std::mem::take(&mut self.waiting);
            self.write = Some(async move { append(&*state, key, &outputs).await }.boxed());
        }
    }

    /// Waits for the write under way; for ever when there is none. Cancel-safe.
    pub(crate) async fn done(&mut self) {
        let Some(write) = &mut self.write else { return std::future::pending().await };
        let written = write.await;
        self.write = None;
        self.not_before = None;
        match written {
            Ok(()) => {}
            Err(StreamStateError::Lost | StreamStateError::Stale) => self.is_wrong(),
            Err(StreamStateError::Unavailable(reason)) => {
                tracing::warn!(generation = %self.key.generation, reason, "the stream state does not answer");
                self.is_wrong();
                self.not_before = Some(Instant::now() + RETRY);
            }
        }
    }

    fn is_wrong(&mut self) {
        self.right = false;
        self.waiting.clear();
    }

    /// The reply has ended: writes the rest and lets the key go in its time. Bounded; failures are of no consequence.
    pub(crate) async fn close(mut self) {
        let closing = async {
            loop {
                self.start(Instant::now());
                if self.write.is_none() {
                    return self.state.ended(self.key).await;
                }
                self.done().await;
            }
        };
        match tokio::time::timeout(LAST_WORDS, closing).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the stream state did not hear of an end"),
        }
    }
}

/// Appends in order. An output that is there already, as after a write whose answer was lost, is fine when it is the top.
async fn append(state: &dyn StreamState, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError> {
    for output in outputs {
        match state.append(key, output).await {
            Ok(()) => {}
            Err(StreamStateError::Lost) => return Err(StreamStateError::Lost),
            Err(error @ (StreamStateError::Stale | StreamStateError::Unavailable(_))) => {
                let top: Option<Seq> = state.top(key).await?;
                if top != Some(output.run.to()) {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Adds an output, as part of the last one where it is its neighbour.
fn join(outputs: &mut Vec<Output>, output: Output) {
    let rest = match outputs.last_mut() {
        Some(last) => match last.try_merge(output) {
            Ok(()) => return,
            Err(output) => output,
        },
        None => output,
    };
    outputs.push(rest);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use slipstream_domain::{Epoch, GenerationId, Part, Run, Timestamp, UserId};
    use slipstream_local::InProcessStreamState;
    use slipstream_projections::CompatCursor;
    use uuid::Uuid;

    use super::*;

    /// A stream state whose next appends go as told.
    struct Faulty {
        inner: InProcessStreamState,
        next: Mutex<Vec<Fault>>,
    }

    #[derive(Clone, Copy)]
    enum Fault {
        /// It does not answer and has done nothing.
        Dead,
        /// It has done as asked, but the answer is lost.
        Mute,
        /// It answers that the key is gone.
        Flushed,
    }

    #[async_trait]
    impl StreamState for Faulty {
        async fn append(&self, key: StreamKey, output: &Output) -> Result<(), StreamStateError> {
            let fault = self.next.lock().unwrap().pop();
            match fault {
                None => self.inner.append(key, output).await,
                Some(Fault::Dead) => Err(StreamStateError::Unavailable("dead".into())),
                Some(Fault::Mute) => {
                    self.inner.append(key, output).await?;
                    Err(StreamStateError::Unavailable("mute".into()))
                }
                Some(Fault::Flushed) => Err(StreamStateError::Lost),
            }
        }

        async fn seed(&self, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError> {
            self.inner.seed(key, outputs).await
        }

        async fn read_after(
            &self,
            key: StreamKey,
            seq: Seq,
        ) -> Result<Option<Vec<Output>>, StreamStateError> {
            self.inner.read_after(key, seq).await
        }

        async fn top(&self, key: StreamKey) -> Result<Option<Seq>, StreamStateError> {
            self.inner.top(key).await
        }

        async fn ended(&self, key: StreamKey) -> Result<(), StreamStateError> {
            self.inner.ended(key).await
        }

        async fn put_cursor(&self, cursor: CompatCursor) -> Result<(), StreamStateError> {
            self.inner.put_cursor(cursor).await
        }

        async fn take_orphan(
            &self,
            user: UserId,
            fingerprint: [u8; 32],
            not_before: Timestamp,
            silent_before: Timestamp,
        ) -> Result<Option<CompatCursor>, StreamStateError> {
            self.inner.take_orphan(user, fingerprint, not_before, silent_before).await
        }

        async fn drop_cursor(&self, user: UserId, connection: Uuid) -> Result<(), StreamStateError> {
            self.inner.drop_cursor(user, connection).await
        }
    }

    fn key() -> StreamKey {
        StreamKey { generation: GenerationId::from_uuid(Uuid::nil()), epoch: Epoch::FIRST }
    }

    fn delta(seq: u64) -> Output {
        Output { run: Run::delta(Seq(seq), Part::Text, seq - 1, "x".into()), thinking_ms: None }
    }

    /// Ten deltas, one a write, with these faults from the second on; then the end.
    async fn kept_after(mut faults: Vec<Fault>) -> Option<u64> {
        faults.reverse();
        let state = Arc::new(Faulty { inner: InProcessStreamState::new(), next: Mutex::new(faults) });
        let mut hot = Hot::new(state.clone(), key());
        for seq in 1..=10 {
            hot.push(delta(seq));
            hot.start(Instant::now());
            if hot.write.is_some() {
                hot.done().await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        hot.close().await;
        let outputs = state.read_after(key(), Seq::START).await.unwrap()?;
        Some(outputs.iter().map(|output| output.run.count()).sum())
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_the_stream_state_does_it_ends_with_everything_that_was_shown() {
        for faults in [
            vec![],
            vec![Fault::Dead],
            vec![Fault::Mute],
            vec![Fault::Flushed],
            vec![Fault::Mute, Fault::Dead, Fault::Flushed, Fault::Mute],
        ] {
            assert_eq!(kept_after(faults).await, Some(10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_without_output_leaves_no_key() {
        let state = Arc::new(InProcessStreamState::new());
        Hot::new(state.clone(), key()).close().await;
        assert_eq!(state.top(key()).await.unwrap(), None);
    }
}
