//! What becomes of a job in hand.

use std::time::Duration;

use slipstream_commands::CommandError;

/// The pause before a job that cannot be done now is tried again (`04-streaming-and-resume`, "Owner and lease").
pub(crate) const RETRY: Duration = Duration::from_secs(10);

/// The pause before a job is tried again that something needed did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// How a worker leaves a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// It has ended, by this worker or another: the job is done.
    Done,
    /// It has not ended; the job goes back to the queue for this long.
    Later(Duration),
    /// Another owner has it, and with it the job.
    ToAnother,
    /// Something is wrong with it, or with us, that trying again does not mend.
    Broken,
}

impl From<&CommandError> for Left {
    fn from(error: &CommandError) -> Self {
        match error {
            CommandError::Ended { .. } | CommandError::Erased | CommandError::NotFound(_) => Self::Done,
            CommandError::Fenced { .. } => Self::ToAnother,
            CommandError::Contended | CommandError::Unavailable(_) => Self::Later(AGAIN),
            CommandError::OutOfOrder { .. }
            | CommandError::TooLarge
            | CommandError::Unreadable(_)
            | CommandError::Damaged(_)
            | CommandError::Inner(_)
            | CommandError::UnknownParent(_)
            | CommandError::WrongMessage(_)
            | CommandError::Busy
            | CommandError::QueueFull
            | CommandError::FreeLimit { .. } => Self::Broken,
        }
    }
}
