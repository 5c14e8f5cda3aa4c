//! Changes a person's own settings.

use slipstream_domain::UserId;
use slipstream_domain::event::SettingsChanged;
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Makes these settings hold, whole: an absent one is unset. Setting what holds already writes nothing.
///
/// # Errors
/// `NotFound` for an unknown user; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all)]
pub async fn update_settings(
    app: &Commands,
    actor: UserId,
    settings: SettingsChanged,
) -> Result<(), CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let user = loading::user(&app.log, actor).await?;
        let Some(changed) = user.state.change_settings(settings.clone())? else { return Ok(()) };
        let streams = vec![streams::user(actor, user.version, vec![changed])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}
