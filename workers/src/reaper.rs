//! Clears up behind files: those that were announced and never came fail, and the bytes of deleted ones go when their owner
//! may no longer want them back. Two reapers at once do no harm: each step is decided on the file's own stream.

use std::time::Duration;

use slipstream_commands::{AttachmentError, Attachments, Commands};
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentId, Timestamp, UserId};
use slipstream_projections::{QueryError, ReadModels, attachments};
use tokio_util::sync::CancellationToken;

/// Files of a kind that one round looks at; the rest is the next round's.
const MOST: u16 = 200;
/// The pause between two rounds.
const ROUND: Duration = Duration::from_mins(10);

/// How patient the reaper is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long an announced file may take to come.
    pub upload: Duration,
    /// How long the bytes of a deleted file stay.
    pub deleted: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { upload: Duration::from_hours(24), deleted: Duration::from_hours(30 * 24) }
    }
}

/// The reaper.
#[derive(Clone)]
pub struct Reaper {
    app: Commands,
    files: Attachments,
    models: ReadModels,
    patience: Patience,
}

impl Reaper {
    /// A reaper with these surroundings.
    #[must_use]
    pub fn new(app: Commands, files: Attachments, models: ReadModels, patience: Patience) -> Self {
        Self { app, files, models, patience }
    }

    /// Reaps until told to drain.
    pub async fn run(self, drain: CancellationToken) {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            if let Err(error) = self.round().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a round of the reaper failed");
            }
        }
    }

    /// One round. Answers how many files it has dealt with; a file that cannot be dealt with is the next round's.
    ///
    /// # Errors
    /// The read model does not answer.
    pub async fn round(&self) -> Result<usize, QueryError> {
        let overdue = attachments::overdue(&self.models, self.before(self.patience.upload), MOST).await?;
        let mut reaped = 0;
        for (owner, id) in overdue {
            let done = self.files.fail_upload(owner, id, FailReason::Expired).await;
            reaped += usize::from(dealt_with(owner, id, done.map(drop)));
        }
        let deleted = attachments::unpurged(&self.models, self.before(self.patience.deleted), MOST).await?;
        for (owner, id) in deleted {
            let done = self.files.purge(owner, id).await;
            reaped += usize::from(dealt_with(owner, id, done));
        }
        Ok(reaped)
    }

    fn before(&self, patience: Duration) -> Timestamp {
        let patience = i64::try_from(patience.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.app.now().micros().saturating_sub(patience))
    }
}

fn dealt_with(owner: UserId, id: AttachmentId, done: Result<(), AttachmentError>) -> bool {
    match done {
        Ok(()) => true,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, user.id = %owner, attachment.id = %id, "a file cannot be cleared away");
            false
        }
    }
}
