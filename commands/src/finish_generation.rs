//! The owner of a generation ends it, and with it the reply in its conversation.

use slipstream_domain::Ending;
use slipstream_eventlog::{Append, AppendError, Position};

use crate::ending::End;
use crate::retrying::patiently;
use crate::{CommandError, Commands, Ownership};

/// Ends a generation: its terminal event, the conversation's `ReplyRecorded`, and the next waiting message with its
/// request, all in one append. Tries until it is durable or somebody else owns the generation. Answers where the end
/// stands in the log.
///
/// # Errors
/// `Fenced`, `Ended`: stop, somebody else ended it. `OutOfOrder` when not all output is recorded. `Erased`, `TooLarge`,
/// `Unavailable` (after half a minute of trying), `Unreadable`.
#[tracing::instrument(skip_all, fields(generation.id = %own.id()))]
pub async fn finish_generation(
    app: &Commands,
    own: &mut Ownership,
    ending: Ending,
) -> Result<Position, CommandError> {
    let command_id = app.new_command();
    let mut attempt = 0;
    loop {
        attempt += 1;
        let _turn = match own.request().owner {
            Some(owner) => Some(app.turns.take(owner).await),
            None => None,
        };
        let (status, final_seq) = (ending.status, ending.terminal.final_seq);
        let event = own.state().finish(own.epoch(), ending.clone())?;
        let end =
            End { id: own.id(), version: own.version, request: own.request(), event, status, final_seq };
        let streams = patiently!(app, app.end_appends(&end))?;
        match app.append_for_worker(Append { streams, command_id, guards: Vec::new() }).await {
            Ok(appended) => return Ok(appended.last),
            Err(AppendError::Conflict { .. } | AppendError::Closed { .. }) => {
                patiently!(app, own.refresh(app))?;
                app.pause(attempt).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
