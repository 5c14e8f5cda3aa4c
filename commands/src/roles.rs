//! What a person may do beyond their own conversations.

use slipstream_domain::UserId;
use slipstream_domain::event::UserRole;
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// The person's role, as the log has it now.
///
/// # Errors
/// `NotFound` for an unknown user, `Erased`; `Unavailable`, `Unreadable`.
pub async fn role_of(app: &Commands, user: UserId) -> Result<UserRole, CommandError> {
    Ok(loading::user(&app.log, user).await?.state.role()?)
}

/// Gives a person a role in place of the one they had; the one they have already writes nothing. Whoever asks for it must
/// be the operator: nobody is asked for a role here.
///
/// # Errors
/// `NotFound` for an unknown user, `Erased`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(user.id = %user, user.role = role.as_str()))]
pub async fn assign_role(app: &Commands, user: UserId, role: UserRole) -> Result<(), CommandError> {
    let _turn = app.turns.take(user).await;
    retrying!(app, async {
        let loaded = loading::user(&app.log, user).await?;
        let Some(changed) = loaded.state.change_role(role)? else { return Ok(()) };
        let streams = vec![streams::user(user, loaded.version, vec![changed])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}
