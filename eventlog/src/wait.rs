//! Read your writes: waiting, for a bounded time, until a projector has applied an event.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::{CorrelationId, EventLog, HintTopic, Position, ProjectorId, ProjectorState, ReadError};

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

/// What a look has found.
struct Look {
    /// The version that is read.
    version: i32,
    end: Option<Waited>,
}

impl EventLog {
    /// Waits until the version of a projection that queries read has its checkpoint at `position` or beyond and
    /// `correlation` is not parked there. Which version that is may change meanwhile; while none is read, it is that of
    /// `projector`. Looks when the version is heard of and after 5, 10, 20 … 100 ms. Cancel-safe.
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
        let mut pause = FIRST_PAUSE;
        let mut heard_of = None;
        loop {
            let Look { version, end } = self.look(projector, correlation, position).await?;
            if let Some(end) = end {
                return Ok(end);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(Waited::TimedOut);
            }
            let topic = HintTopic::Projector(ProjectorId { name: projector.name.clone(), version });
            tokio::select! {
                // Once only: what was heard stays heard.
                () = self.signals().reached(&topic, position), if heard_of != Some(version) => {
                    heard_of = Some(version);
                }
                () = sleep_until(deadline.min(now + pause)) => pause = LONGEST_PAUSE.min(pause * 2),
            }
        }
    }

    async fn look(
        &self,
        projector: &ProjectorId,
        correlation: CorrelationId,
        position: Position,
    ) -> Result<Look, ReadError> {
        let row = sqlx::query!(
            r#"WITH read AS (
                   SELECT coalesce((SELECT version FROM es.projector WHERE name = $1 AND state = $5), $2) AS version
               )
               SELECT version AS "version!",
                      EXISTS (SELECT FROM es.projector AS p
                              WHERE p.name = $1 AND p.version = read.version AND p.position >= $4) AS "reached!",
                      EXISTS (SELECT FROM es.parked AS k
                              WHERE k.projector = $1 AND k.version = read.version AND k.correlation_id = $3) AS "parked!"
               FROM read"#,
            &*projector.name,
            projector.version,
            correlation.as_uuid(),
            position.get(),
            ProjectorState::Active as i16
        );
        let row = row.fetch_one(self.pool()).await?;
        let end = match (row.parked, row.reached) {
            (true, _) => Some(Waited::Parked),
            (false, true) => Some(Waited::Reached),
            (false, false) => None,
        };
        Ok(Look { version: row.version, end })
    }
}
