//! Read your writes: waiting, for a bounded time, until a projector has applied an event.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{CorrelationId, EventLog, HintTopic, Position, ProjectorId, ReadError};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How a wait ended. Unless it was reached, read the log instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The projector has applied the position.
    Reached,
    /// It has parked the correlation: its rows are behind until somebody retries it.
    Parked,
    /// It has done neither in time.
    TimedOut,
}

impl EventLog {
    /// Waits until a projector's checkpoint is at `position` or beyond and `correlation` is not parked. Looks
    /// when the projector is heard of and after 5, 10, 20 … 100 ms. Cancel-safe.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn wait_for(
        &self,
        projector: &ProjectorId,
        correlation: CorrelationId,
        position: Position,
        patience: Duration,
    ) -> Result<Waited, ReadError> {
        let deadline = Instant::now() + patience;
        let topic = HintTopic::Projector(projector.clone());
        let mut pause = FIRST_PAUSE;
        let mut heard = false;
        loop {
            if let Some(end) = self.look(projector, correlation, position).await? {
                return Ok(end);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(Waited::TimedOut);
            }
            tokio::select! {
                // Once only: what was heard stays heard.
                () = self.signals().reached(&topic, position), if !heard => heard = true,
                () = sleep_until(deadline.min(now + pause)) => pause = LONGEST_PAUSE.min(pause * 2),
            }
        }
    }

    async fn look(
        &self,
        projector: &ProjectorId,
        correlation: CorrelationId,
        position: Position,
    ) -> Result<Option<Waited>, ReadError> {
        let row = sqlx::query!(
            r#"SELECT EXISTS (SELECT FROM es.projector
                              WHERE name = $1 AND version = $2 AND position >= $4) AS "reached!",
                      EXISTS (SELECT FROM es.parked
                              WHERE projector = $1 AND version = $2 AND correlation_id = $3) AS "parked!""#,
            &*projector.name,
            projector.version,
            correlation.as_uuid(),
            position.get()
        );
        let row = row.fetch_one(self.pool()).await?;
        Ok(match (row.parked, row.reached) {
            (true, _) => Some(Waited::Parked),
            (false, true) => Some(Waited::Reached),
            (false, false) => None,
        })
    }
}
