//! A person: registered once, with settings of their own.

use crate::event::{RegistrationVia, SettingsChanged, UserEvent, UserProfile, UserRegistered, UserRole};
use crate::sealed::Sealed;

/// The state of a person's stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum User {
    /// Nobody with this id.
    #[default]
    Unknown,
    /// A person.
    Active {
        /// The settings that hold.
        settings: SettingsChanged,
    },
}

/// Why a person cannot be registered or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserRejection {
    /// There is such a person already.
    #[error("the user is registered already")]
    AlreadyRegistered,
    /// There is no such person.
    #[error("no such user")]
    Unknown,
}

impl User {
    /// # Errors
    /// The id is taken.
    pub fn register(&self, via: RegistrationVia, profile: UserProfile) -> Result<UserEvent, UserRejection> {
        match self {
            Self::Unknown => Ok(UserEvent::UserRegistered(UserRegistered {
                role: UserRole::User,
                via,
                profile: Sealed::Open(profile),
            })),
            Self::Active { .. } => Err(UserRejection::AlreadyRegistered),
        }
    }

    /// The event that makes these settings hold; `None` when they hold already.
    ///
    /// # Errors
    /// There is no such person.
    pub fn change_settings(&self, settings: SettingsChanged) -> Result<Option<UserEvent>, UserRejection> {
        match self {
            Self::Unknown => Err(UserRejection::Unknown),
            Self::Active { settings: current } if *current == settings => Ok(None),
            Self::Active { .. } => Ok(Some(UserEvent::SettingsChanged(settings))),
        }
    }

    /// Takes an event of this stream in.
    pub fn evolve(&mut self, event: &UserEvent) {
        match event {
            UserEvent::UserRegistered(_) => {
                *self = Self::Active { settings: SettingsChanged::default() };
            }
            UserEvent::SettingsChanged(new) => {
                if let Self::Active { settings } = self {
                    settings.clone_from(new);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Theme;

    fn profile() -> UserProfile {
        UserProfile { email: "a@example.com".into(), name: None, image: None }
    }

    fn registered() -> User {
        let mut user = User::default();
        let event = user.register(RegistrationVia::Development, profile()).unwrap();
        user.evolve(&event);
        user
    }

    #[test]
    fn a_person_is_registered_once() {
        assert_eq!(
            registered().register(RegistrationVia::Service, profile()),
            Err(UserRejection::AlreadyRegistered)
        );
    }

    #[test]
    fn settings_that_hold_already_are_no_event() {
        let dark = SettingsChanged { theme: Some(Theme::Dark), ..SettingsChanged::default() };
        let mut user = registered();
        let event = user.change_settings(dark.clone()).unwrap().unwrap();
        user.evolve(&event);
        assert_eq!(user.change_settings(dark), Ok(None));
    }

    #[test]
    fn nobody_has_no_settings() {
        assert_eq!(User::default().change_settings(SettingsChanged::default()), Err(UserRejection::Unknown));
    }
}
