//! Changes a person's own settings.

use std::sync::Arc;

use slipstream_domain::UserId;
use slipstream_domain::event::{SettingsChanged, UserEvent};
use slipstream_domain::user::UserSettingsPatch;
use slipstream_eventlog::Append;

use crate::ports::{LiveMessage, Subject};
use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Changes what is named, tells the person's sockets, and answers what holds now. Setting what holds already writes and
/// tells nothing.
///
/// # Errors
/// `NotFound` for an unknown user, `Erased`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all)]
pub async fn update_settings(
    app: &Commands,
    actor: UserId,
    patch: UserSettingsPatch,
) -> Result<SettingsChanged, CommandError> {
    let _turn = app.turns.take(actor).await;
    let (settings, changed) = retrying!(app, async {
        let user = loading::user(&app.log, actor).await?;
        let Some(settings) = user.state.change_settings(patch.clone())? else {
            return Ok((user.state.settings()?.clone(), false));
        };
        let event = UserEvent::SettingsChanged(settings.clone());
        let streams = vec![streams::user(actor, user.version, vec![event])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok((settings, true))
    })?;
    if changed {
        let message = LiveMessage::SettingsUpdated { settings: settings.clone() };
        app.bus.publish(Subject::User(actor), Arc::new(message)).await;
    }
    Ok(settings)
}
