//! The port through which processes wake each other. Hints are opaque and may be lost, late or repeated:
//! they only make readers look sooner than their next poll.

use std::future;

use async_trait::async_trait;

use crate::{Position, ProjectorId};

/// What has moved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HintTopic {
    /// The head of the log.
    Log,
    /// The checkpoint of a projector.
    Projector(ProjectorId),
}

/// Carries hints between processes. One instance serves one [`EventLog`](crate::EventLog), which sends at
/// most 50 a second and topic.
///
/// Laws: a hint sent is received by no process or by every other one, never changed; `hint` does not block.
#[async_trait]
pub trait Hints: Send + Sync {
    /// Tells the other processes that `topic` has reached `position`.
    fn hint(&self, topic: HintTopic, position: Position);

    /// Waits for a hint from another process. Cancel-safe. Called by the log alone.
    async fn next(&self) -> (HintTopic, Position);
}

/// No other process: nothing is sent and nothing arrives. Readers elsewhere find events by their poll.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHints;

#[async_trait]
impl Hints for NoHints {
    fn hint(&self, _: HintTopic, _: Position) {}

    async fn next(&self) -> (HintTopic, Position) {
        future::pending().await
    }
}
