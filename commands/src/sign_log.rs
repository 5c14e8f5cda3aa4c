//! Signs the head of the log, so that nobody can put another history in the place of this one: keeps the signature outside the
//! database first, then records that there is one.

use std::sync::Arc;
use std::time::Duration;

use slipstream_domain::event::{AuditEvent, LogSigned};
use slipstream_domain::{SignatureId, Timestamp};
use slipstream_eventlog::{Append, AppendError, Position, Signature, SigningKey, StreamId, Version};
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::ports::{PortError, Signatures};
use crate::{CommandError, Commands, streams};

/// `02-event-log`: at least every 1000 batches or 60 s.
const BATCHES: i64 = 1_000;
const EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether so many batches have come.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a signature could not be kept.
const RETRY: Duration = Duration::from_secs(10);

/// Signs the log. Cheap to clone.
#[derive(Clone)]
pub struct LogSigner {
    app: Commands,
    key: Arc<SigningKey>,
    stores: Vec<Arc<dyn Signatures>>,
}

/// Why the log was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The signature could not be kept.
    #[error(transparent)]
    Store(#[from] PortError),
    /// The log did not answer. The signature may have been kept, and holds.
    #[error(transparent)]
    Log(#[from] CommandError),
}

/// The signatures of one UTC day, as far as the log knows them.
struct Day {
    stream: Uuid,
    version: Version,
    last: Position,
}

impl LogSigner {
    /// Signs with `key`, and keeps each signature in every one of `stores`.
    #[must_use]
    pub fn new(app: Commands, key: Arc<SigningKey>, stores: Vec<Arc<dyn Signatures>>) -> Self {
        Self { app, key, stores }
    }

    /// Signs what is new when a minute has passed since the last time, or when that is 1000 batches; until `drain`. Two processes that do so at once sign twice, which harms nothing.
    pub async fn run(self, drain: CancellationToken) {
        let (mut seen, mut due) = (0, Instant::now());
        while !drain.is_cancelled() {
            let pause = match self.sign_if_due(&mut seen, &mut due).await {
                Ok(()) => LOOK,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the log is not signed");
                    RETRY
                }
            };
            drain.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    /// `seen`: the batch up to which there is nothing to sign; `due`: when what comes after it is signed, however little.
    async fn sign_if_due(&self, seen: &mut i64, due: &mut Instant) -> Result<(), SignError> {
        let head = self.app.log.head().await.map_err(CommandError::from)?;
        let new = head.batch_no - *seen;
        if new == 0 || (new < BATCHES && Instant::now() < *due) {
            return Ok(());
        }
        if let Some(signature) = self.sign().await? {
            tracing::debug!(batch = signature.batch_no, "the log is signed");
            (*seen, *due) = (signature.batch_no, Instant::now() + EVERY);
        } else {
            *seen = head.batch_no;
        }
        Ok(())
    }

    /// Signs the head of the log; `None` when nothing was written since it was last signed, but for the record of that.
    ///
    /// # Errors
    /// See [`SignError`].
    pub async fn sign(&self) -> Result<Option<Signature>, SignError> {
        let now = self.app.now();
        let day = self.day(now).await?;
        let head = self.app.log.head().await.map_err(CommandError::from)?;
        if head.position == day.last {
            return Ok(None);
        }
        let signature = self.key.sign(&head, self.app.ids.uuid(), instant(now));
        for store in &self.stores {
            store.keep(&signature).await?;
        }
        let signature_id = SignatureId::from_uuid(signature.signature_id);
        let event = AuditEvent::LogSigned(LogSigned { batch_no: head.batch_no, signature_id });
        let streams = vec![streams::audit(day.stream, day.version, event)?];
        let append = Append { streams, command_id: self.app.new_command(), guards: Vec::new() };
        match self.app.log.append(append).await {
            // Another process has signed at the same time, and said so.
            Ok(_) | Err(AppendError::Conflict { .. }) => Ok(Some(signature)),
            Err(error) => Err(CommandError::from(error).into()),
        }
    }

    async fn day(&self, now: Timestamp) -> Result<Day, CommandError> {
        let name = format!("signatures of {}", instant(now).date());
        let stream = Uuid::new_v5(&Uuid::nil(), name.as_bytes());
        let recorded = self.app.log.read_stream(StreamId::from_uuid(stream), Version::NONE).await?;
        let last = recorded.last();
        Ok(Day {
            stream,
            version: last.map_or(Version::NONE, |event| event.version),
            last: last.map_or(Position::START, |event| event.position),
        })
    }
}

fn instant(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::microseconds(at.micros()))
}
