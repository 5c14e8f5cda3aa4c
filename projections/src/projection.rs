//! What a read model is to the runner: which events it takes and how it applies them. Knows no checkpoint, no lease
//! and no key ring; those are the runner's.

use slipstream_eventlog::{ProjectorId, Recorded, StreamId};
use sqlx::PgConnection;

use crate::followed::Followed;

/// A read model. Its tables stand in the schema `rm_<NAME>_v<VERSION>`; `apply` and queries name them without it and
/// run under a `search_path` that has it. A new shape is a new version, filled from the start of the log beside the
/// old one.
pub trait Projection: Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// The version of its tables this program writes.
    const VERSION: i32;

    /// Whether it has a use for this event. What it does not take is not even decoded.
    fn takes(event: &Recorded) -> bool;

    /// Streams it must read to apply `events`; the runner reads them before the transaction, up to the first of
    /// `events`.
    #[must_use]
    fn needs(_events: &[Followed]) -> Vec<StreamId> {
        Vec::new()
    }

    /// Applies `events`, in position order, within the caller's transaction. The result must depend on the events
    /// alone, not on how they are cut into calls.
    fn apply(
        connection: &mut PgConnection,
        events: &[&Followed],
        known: Known<'_>,
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;

    /// The version this program writes, as the log knows it.
    #[must_use]
    fn id() -> ProjectorId {
        ProjectorId::new(Self::NAME, Self::VERSION)
    }
}

/// Events that may be looked at while others are applied.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What [`Projection::needs`] asked for.
    pub earlier: &'a [Followed],
    /// The page that is being applied, whole.
    pub page: &'a [Followed],
}

impl<'a> Known<'a> {
    /// All of them, in position order within each stream.
    pub fn events(self) -> impl Iterator<Item = &'a Followed> {
        self.earlier.iter().chain(self.page)
    }
}

/// Why events could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An event does not fit what came before it. The text holds no content.
    #[error("{0}")]
    Unfit(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ApplyError {
    /// What is wrong with an event, when it is the event's fault: then it is parked. `None` when the same might have
    /// happened to any other event: then the whole transaction is tried again.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Unfit(why) => Some(why.clone()),
            Self::Database(error) => {
                let refused = error.as_database_error()?;
                let state = refused.code()?;
                // 22 is data, 23 an integrity constraint (PostgreSQL, appendix A). The message may quote content.
                let of_the_data = state.starts_with("22") || state.starts_with("23");
                let constraint = refused.constraint().unwrap_or("no constraint");
                of_the_data.then(|| format!("refused by the database: {state}, {constraint}"))
            }
        }
    }
}
