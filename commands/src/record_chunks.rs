//! The owner of a generation records what was produced.

use slipstream_domain::{Meta, Run};
use slipstream_eventlog::{Append, AppendError};

use crate::retrying::patiently;
use crate::{CommandError, Commands, Ownership, streams};

/// What an owner records.
#[derive(Debug, Clone)]
pub struct Chunks {
    /// Consecutive runs, beginning after [`Ownership::last_seq`].
    pub runs: Vec<Run>,
    /// Whether an earlier owner produced them and they were found in the stream state.
    pub carried: bool,
    /// How long the model has thought so far, in milliseconds.
    pub thinking_ms: Option<u64>,
}

/// Records output. Tries until it is durable, or somebody else owns the generation; a wish to stop that is found on the
/// way is in [`Ownership::cancel_requested`] afterwards. No runs is no event. **Not** cancel-safe: a caller that stops
/// waiting must call [`Ownership::refresh`] before it writes again.
///
/// # Errors
/// `Fenced`, `Ended`: stop, another owner or the user was faster. `OutOfOrder`: the caller's numbering is wrong.
/// `TooLarge`, `Erased`, `Unavailable` (after half a minute of trying), `Unreadable`.
#[tracing::instrument(level = "debug", skip_all, fields(generation.id = %own.id(), epoch = own.epoch().0))]
pub async fn record_chunks(app: &Commands, own: &mut Ownership, chunks: Chunks) -> Result<(), CommandError> {
    let command_id = app.new_command();
    let owner = own.request().owner;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let Chunks { runs, carried, thinking_ms } = chunks.clone();
        let Some(event) = own.state().record(own.epoch(), carried, thinking_ms, runs)? else { return Ok(()) };
        let append = streams::generation(own.id(), own.conversation(), owner, own.version, event.clone())?;
        let streams = vec![streams::caused_by(append, own.position())];
        match app.append_for_worker(Append { streams, command_id, guards: Vec::new() }).await {
            Ok(appended) => {
                own.wrote(&event, &appended, Meta { owner, at: app.now() });
                return Ok(());
            }
            Err(AppendError::Conflict { .. } | AppendError::Closed { .. }) => {
                patiently!(app, own.refresh(app))?;
                app.pause(attempt).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
