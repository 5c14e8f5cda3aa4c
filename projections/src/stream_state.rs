//! The port of the fast tier: what a generation has produced so far, for readers that come late or missed something,
//! and where compat sockets stand. May be lost at any time; the log has everything it holds, a little later.

use async_trait::async_trait;
use slipstream_domain::{ConversationId, Epoch, GenerationId, Run, Seq, Timestamp, UserId};
use uuid::Uuid;

/// The output of one owner of a generation. Each epoch has a key of its own, so that a stale owner writes where no
/// reader looks: readers take the epoch from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Which generation.
    pub generation: GenerationId,
    /// Whose.
    pub epoch: Epoch,
}

/// Output as it travels: a run, and how long the model had thought by its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The deltas.
    pub run: Run,
    /// In milliseconds.
    pub thinking_ms: Option<u64>,
}

impl Output {
    /// Joins `next` to this output when it is its neighbour ([`Run::try_merge`]); gives it back otherwise.
    ///
    /// # Errors
    /// `next` itself, unchanged, when the two cannot be one.
    pub fn try_merge(&mut self, next: Self) -> Result<(), Self> {
        let Self { run, thinking_ms } = next;
        self.run.try_merge(run).map_err(|run| Self { run, thinking_ms })?;
        self.thinking_ms = thinking_ms;
        Ok(())
    }
}

/// Where a compat socket stands, so that the socket that replaces it can go on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompatCursor {
    /// Whose socket.
    pub user: UserId,
    /// Names this cursor: one reply on one socket.
    pub connection: Uuid,
    /// Which socket. Its replies are taken over together.
    pub socket: Uuid,
    /// SHA-256 of what a client that comes back brings again: its credentials and its User-Agent.
    pub fingerprint: [u8; 32],
    /// What it reads.
    pub generation: GenerationId,
    /// Where that is.
    pub conversation: ConversationId,
    /// The last delta written to the socket.
    pub seq: Seq,
    /// How the socket ended; absent while it lives, or when its gateway died.
    pub closed: Option<CloseKind>,
    /// When this was true.
    pub at: Timestamp,
}

/// How a compat socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// With close code 1001: the page went away, so what comes back shows nothing yet.
    Reload,
    /// In any other way: what comes back still shows what was written.
    Lost,
}

/// Why the stream state did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamStateError {
    /// There is no such key, or no longer: [`StreamState::seed`] it with everything since the epoch began.
    #[error("the stream state has lost the stream")]
    Lost,
    /// The output is not above what is there: it was written before.
    #[error("the stream state has this output already")]
    Stale,
    /// It does not answer. What was asked may have been done: look at [`StreamState::top`], and seed when that is not
    /// where it should be.
    #[error("the stream state is unavailable: {0}")]
    Unavailable(String),
}

/// The stream state.
///
/// Laws:
/// - An owner writes its own epoch's key only. It begins with [`StreamState::seed`] and goes on with
///   [`StreamState::append`], which never makes a key.
/// - Whatever `seed` or `append` has answered `Ok` for is what [`StreamState::read_after`] gives until the key is lost
///   or gone, in the order of `seq`, cut exactly. A key is given whole up to its top or not at all.
/// - `append` takes output above the top only; a hole is the caller's fault and cannot be filled, only seeded over.
/// - A key lives 24 hours after its last write but for the newest 255 deltas (renewing may be spared for those), 10 minutes
///   after [`StreamState::ended`].
/// - A cursor lives two minutes after its last [`StreamState::put_cursor`]. Of any number of
///   [`StreamState::take_orphan`] at once, one gets it.
#[async_trait]
pub trait StreamState: Send + Sync {
    /// Makes the key hold `outputs` (in order, at least one) and nothing else.
    async fn seed(&self, key: StreamKey, outputs: &[Output]) -> Result<(), StreamStateError>;

    /// Adds output after the top. `Lost` without a key; `Stale`, with nothing changed, when the output ends at or below
    /// the top.
    async fn append(&self, key: StreamKey, output: &Output) -> Result<(), StreamStateError>;

    /// What comes after `seq`; `None` without a key. The first run may begin later than asked: a key begins where its
    /// epoch does, and what is before is in the log.
    async fn read_after(&self, key: StreamKey, seq: Seq) -> Result<Option<Vec<Output>>, StreamStateError>;

    /// The last delta there; `None` without a key.
    async fn top(&self, key: StreamKey) -> Result<Option<Seq>, StreamStateError>;

    /// No more will come: 10 minutes from now the key may go. Without a key, nothing happens.
    async fn ended(&self, key: StreamKey) -> Result<(), StreamStateError>;

    /// Keeps where a socket stands, in place of what was kept for its user and connection.
    async fn put_cursor(&self, cursor: CompatCursor) -> Result<(), StreamStateError>;

    /// Takes away and gives the oldest (by `at`) orphan of this user and fingerprint: a cursor not older than
    /// `not_before` whose socket is closed, or which says nothing of that and is older than `silent_before` (a gateway
    /// puts each second, so its process is gone).
    async fn take_orphan(
        &self,
        user: UserId,
        fingerprint: [u8; 32],
        not_before: Timestamp,
        silent_before: Timestamp,
    ) -> Result<Option<CompatCursor>, StreamStateError>;

    /// Forgets a socket's cursor: its generation has ended, or it reads nothing any more.
    async fn drop_cursor(&self, user: UserId, connection: Uuid) -> Result<(), StreamStateError>;
}
