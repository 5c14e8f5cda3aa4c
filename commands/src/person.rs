//! What is known of a person, and where they are.

use slipstream_domain::event::{SettingsChanged, UserProfile, UserRole};
use slipstream_domain::{RequestMetadata, User, UserId};
use slipstream_eventlog::Append;

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// What is known of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// What they may do.
    pub role: UserRole,
    /// Who they said they are; `None` when that cannot be read any more.
    pub profile: Option<UserProfile>,
    /// Where they were last, as their client told.
    pub location: Option<RequestMetadata>,
    /// The settings that hold.
    pub settings: SettingsChanged,
}

/// What the log knows of a person now.
///
/// # Errors
/// `NotFound` for an unknown user, `Erased`; `Unavailable`, `Unreadable`.
pub async fn find_person(app: &Commands, user: UserId) -> Result<Person, CommandError> {
    let state = loading::user(&app.log, user).await?.state;
    state.check_active()?;
    let User::Active { role, profile, location, settings, .. } = state else {
        return Err(CommandError::NotFound("user"));
    };
    let (profile, location) = (profile.into_open(), location.and_then(|location| location.into_open()));
    Ok(Person { role, profile, location, settings })
}

/// Notes where a person is, if that is not where they were. What is absent was not told, and is not made up.
///
/// # Errors
/// `NotFound` for an unknown user, `Erased`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all)]
pub async fn locate_person(app: &Commands, user: UserId, to: RequestMetadata) -> Result<(), CommandError> {
    let _turn = app.turns.take(user).await;
    retrying!(app, async {
        let loaded = loading::user(&app.log, user).await?;
        let Some(located) = loaded.state.locate(to.clone())? else { return Ok(()) };
        let streams = vec![streams::user(user, loaded.version, vec![located])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}
