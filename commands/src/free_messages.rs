//! Messages on the operator's keys: so many a day for each user, whatever a client says of its own keys. Each is counted on
//! the user's stream, in the append that requests its reply, at the version that was decided on: of two at once that want
//! the last one, one is decided again.

use std::num::NonZeroU32;

use slipstream_domain::user::FreeMessageRejection;
use slipstream_domain::{GenerationId, Timestamp, User, UserId};
use slipstream_eventlog::StreamAppend;

use crate::loading::Loaded;
use crate::{CommandError, Commands, loading, streams};

/// What is left to a user, as it was when it was read.
pub(crate) struct FreeMessages {
    id: UserId,
    user: Loaded<User>,
    most: NonZeroU32,
    now: Timestamp,
}

impl Commands {
    /// What is left to a user; `None` where there is no limit.
    pub(crate) async fn free_messages(&self, id: UserId) -> Result<Option<FreeMessages>, CommandError> {
        let Some(most) = self.free_messages_per_day else { return Ok(None) };
        let user = loading::user(&self.log, id).await?;
        Ok(Some(FreeMessages { id, user, most, now: self.now() }))
    }
}

impl FreeMessages {
    /// Pays for a reply, in the append that requests it.
    ///
    /// # Errors
    /// `FreeLimit` when all are used; `NotFound` for an unknown user.
    pub(crate) fn pay(&self, generation: GenerationId) -> Result<StreamAppend, CommandError> {
        let used = self.user.state.use_free_message(generation, self.most, self.now);
        let used = used.map_err(|rejection| match rejection {
            FreeMessageRejection::Unknown => CommandError::NotFound("user"),
            FreeMessageRejection::AllUsed { retry_after } => {
                CommandError::FreeLimit { most: self.most, retry_after }
            }
        })?;
        streams::user(self.id, self.user.version, vec![used])
    }
}
