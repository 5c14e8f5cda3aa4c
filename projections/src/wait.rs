//! Read your writes: a bounded wait for a read model. Whoever waits has a way on without it.

use std::time::Duration;

use slipstream_domain::ConversationId;
use slipstream_eventlog::{CorrelationId, EventLog, Position, ProjectorState, ReadError, Waited};

use crate::projection::Projection;

/// A read model that has not come to `position` yet, of all that are read or being filled; `None` when all have.
///
/// # Errors
/// The database does not answer.
pub async fn first_behind(log: &EventLog, position: Position) -> Result<Option<String>, ReadError> {
    let mut used =
        log.projectors().await?.into_iter().filter(|status| status.state != ProjectorState::Retired);
    Ok(used.find(|status| status.position < position).map(|status| status.projector.name.to_string()))
}

/// Waits until queries of `P` show everything of `conversation` up to and with `position`, for example
/// `wait_for::<Transcript>(…)`. Never an error: when the database does not answer, that is [`Waited::TimedOut`], and
/// the caller reads the log instead, as it does for [`Waited::Parked`]. Cancel-safe.
pub async fn wait_for<P: Projection>(
    log: &EventLog,
    conversation: ConversationId,
    position: Position,
    timeout: Duration,
) -> Waited {
    let correlation = CorrelationId::from_uuid(conversation.as_uuid());
    let own = P::id();
    match tokio::time::timeout(timeout, log.wait_for(&own, correlation, position, timeout)).await {
        Ok(Ok(waited)) => waited,
        Ok(Err(error)) => {
            tracing::warn!(projection = P::NAME, error = &error as &dyn std::error::Error, "a wait failed");
            Waited::TimedOut
        }
        Err(_) => Waited::TimedOut,
    }
}
