//! A person: registered once, with settings of their own, and with so many messages a day on the operator's keys.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::conversation::Patch;
use crate::event::{
    FreeMessageUsed, Meta, ProfileLocated, RegistrationVia, RoleChanged, SettingsChanged, UserErased,
    UserErasureRequested, UserEvent, UserProfile, UserRegistered, UserRole,
};
use crate::ids::{EmailId, GenerationId};
use crate::sealed::Sealed;
use crate::values::{ModelId, ProviderId, RequestMetadata, Theme, Timestamp};

/// The state of a person's stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum User {
    /// Nobody with this id.
    #[default]
    Unknown,
    /// A person.
    Active {
        /// What they may do.
        role: UserRole,
        /// Who they said they are.
        profile: Sealed<UserProfile>,
        /// Where they were last; `None` when that was never told.
        location: Option<Box<Sealed<RequestMetadata>>>,
        /// The settings that hold.
        settings: SettingsChanged,
        /// When messages on the operator's keys were used, the oldest first: those of the last [`User::FREE_WINDOW`].
        free_messages: VecDeque<Timestamp>,
    },
    /// A person whose erasure is under way: nothing new is done for them.
    Erasing {
        /// The stream of the address that is theirs until it is done.
        email: Option<EmailId>,
    },
    /// A person of whom nothing is left.
    Erased,
}

/// A change of a person's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserSettingsPatch {
    /// How things look.
    pub theme: Patch<Theme>,
    /// Whom they ask when they name nobody, and which model of theirs; without one, the provider's own default.
    pub default: Patch<(ProviderId, Option<ModelId>)>,
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
    /// Everything of theirs is erased, or being erased.
    #[error("the user is erased")]
    Erased,
}

/// Why a message cannot be answered on the operator's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FreeMessageRejection {
    /// There is no such person.
    #[error("no such user")]
    Unknown,
    /// All are used.
    #[error("no message on the operator's key is left for now")]
    AllUsed {
        /// When the next one may be.
        retry_after: Duration,
    },
}

impl User {
    /// How long a used message counts.
    pub const FREE_WINDOW: Duration = Duration::from_hours(24);

    /// # Errors
    /// The id is taken.
    pub fn register(&self, via: RegistrationVia, profile: UserProfile) -> Result<UserEvent, UserRejection> {
        match self {
            Self::Unknown => Ok(UserEvent::UserRegistered(UserRegistered {
                role: UserRole::User,
                via,
                profile: Sealed::Open(profile),
            })),
            Self::Active { .. } | Self::Erasing { .. } | Self::Erased => {
                Err(UserRejection::AlreadyRegistered)
            }
        }
    }

    /// What they may do.
    ///
    /// # Errors
    /// There is no such person, or they are erased or being erased.
    pub fn role(&self) -> Result<UserRole, UserRejection> {
        match self {
            Self::Unknown => Err(UserRejection::Unknown),
            Self::Active { role, .. } => Ok(*role),
            Self::Erasing { .. } | Self::Erased => Err(UserRejection::Erased),
        }
    }

    /// The event that gives them this role; `None` when they have it.
    ///
    /// # Errors
    /// There is no such person, or they are erased or being erased.
    pub fn change_role(&self, role: UserRole) -> Result<Option<UserEvent>, UserRejection> {
        Ok((self.role()? != role).then_some(UserEvent::RoleChanged(RoleChanged { role })))
    }

    /// The settings that hold with this change; `None` when they hold already.
    ///
    /// # Errors
    /// There is no such person, or they are erased or being erased.
    pub fn change_settings(
        &self,
        patch: UserSettingsPatch,
    ) -> Result<Option<SettingsChanged>, UserRejection> {
        let current = self.settings()?;
        let mut settings = current.clone();
        match patch.theme {
            Patch::Keep => {}
            Patch::Unset => settings.theme = None,
            Patch::Set(theme) => settings.theme = Some(theme),
        }
        match patch.default {
            Patch::Keep => {}
            Patch::Unset => (settings.default_provider, settings.default_model) = (None, None),
            Patch::Set((provider, model)) => {
                (settings.default_provider, settings.default_model) = (Some(provider), model);
            }
        }
        Ok(Some(settings).filter(|settings| settings != current))
    }

    /// The settings that hold.
    ///
    /// # Errors
    /// There is no such person, or they are erased or being erased.
    pub fn settings(&self) -> Result<&SettingsChanged, UserRejection> {
        match self {
            Self::Unknown => Err(UserRejection::Unknown),
            Self::Active { settings, .. } => Ok(settings),
            Self::Erasing { .. } | Self::Erased => Err(UserRejection::Erased),
        }
    }

    /// The event that says where they are; `None` when that is where they were. What is absent was not told.
    ///
    /// # Errors
    /// There is no such person, or they are erased or being erased.
    pub fn locate(&self, to: RequestMetadata) -> Result<Option<UserEvent>, UserRejection> {
        match self {
            Self::Unknown => Err(UserRejection::Unknown),
            Self::Active { location, .. } => {
                let known = location.as_ref().and_then(|location| location.open()) == Some(&to);
                let located = ProfileLocated { location: Sealed::Open(to) };
                Ok((!known).then_some(UserEvent::ProfileLocated(located)))
            }
            Self::Erasing { .. } | Self::Erased => Err(UserRejection::Erased),
        }
    }

    /// # Errors
    /// There is no such person, or they are erased or being erased: nothing new may be begun for them.
    pub fn check_active(&self) -> Result<(), UserRejection> {
        self.role().map(drop)
    }

    /// The event that begins the erasure of everything of theirs; `None` when it has begun before. `email`: the stream of
    /// their address.
    ///
    /// # Errors
    /// There is no such person.
    pub fn request_erasure(&self, email: Option<EmailId>) -> Result<Option<UserEvent>, UserRejection> {
        let requested = UserErasureRequested { email_id: email };
        match self {
            Self::Unknown => Err(UserRejection::Unknown),
            Self::Active { .. } => Ok(Some(UserEvent::UserErasureRequested(requested))),
            Self::Erasing { .. } | Self::Erased => Ok(None),
        }
    }

    /// The event that ends an erasure; `None` when it has ended before.
    ///
    /// # Errors
    /// Nobody has requested one.
    pub fn confirm_erasure(&self) -> Result<Option<UserEvent>, UserRejection> {
        match self {
            Self::Unknown | Self::Active { .. } => Err(UserRejection::Unknown),
            Self::Erasing { .. } => Ok(Some(UserEvent::UserErased(UserErased {}))),
            Self::Erased => Ok(None),
        }
    }

    /// The event that pays for a reply with one of the `most` messages a day on the operator's keys.
    ///
    /// # Errors
    /// There is no such person, or all are used; then the next one is free when the oldest of the last `most` is a day old.
    pub fn use_free_message(
        &self,
        generation_id: GenerationId,
        most: NonZeroU32,
        now: Timestamp,
    ) -> Result<UserEvent, FreeMessageRejection> {
        let Self::Active { free_messages, .. } = self else { return Err(FreeMessageRejection::Unknown) };
        let oldest = free_messages.len().checked_sub(most.get() as usize).map(|n| free_messages[n]);
        let retry_after = oldest.map_or(Duration::ZERO, |at| Self::FREE_WINDOW.saturating_sub(now.since(at)));
        if retry_after.is_zero() {
            Ok(UserEvent::FreeMessageUsed(FreeMessageUsed { generation_id }))
        } else {
            Err(FreeMessageRejection::AllUsed { retry_after })
        }
    }

    /// Takes an event of this stream in.
    pub fn evolve(&mut self, event: &UserEvent, meta: Meta) {
        match event {
            UserEvent::UserRegistered(registered) => {
                *self = Self::Active {
                    role: registered.role,
                    profile: registered.profile.clone(),
                    location: None,
                    settings: SettingsChanged::default(),
                    free_messages: VecDeque::new(),
                };
            }
            UserEvent::ProfileLocated(located) => {
                if let Self::Active { location, .. } = self {
                    *location = Some(Box::new(located.location.clone()));
                }
            }
            UserEvent::RoleChanged(changed) => {
                if let Self::Active { role, .. } = self {
                    *role = changed.role;
                }
            }
            UserEvent::SettingsChanged(new) => {
                if let Self::Active { settings, .. } = self {
                    settings.clone_from(new);
                }
            }
            UserEvent::FreeMessageUsed(_) => {
                if let Self::Active { free_messages, .. } = self {
                    free_messages.retain(|used| meta.at.since(*used) < Self::FREE_WINDOW);
                    free_messages.push_back(meta.at);
                }
            }
            // What there is of keys is in the vault; no rule depends on it.
            UserEvent::ProviderKeyStored(_) | UserEvent::ProviderKeyRemoved(_) => {}
            UserEvent::UserErasureRequested(requested) => *self = Self::Erasing { email: requested.email_id },
            UserEvent::UserErased(_) => *self = Self::Erased,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> UserProfile {
        UserProfile { email: "a@example.com".into(), name: None, image: None }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn meta(at: Timestamp) -> Meta {
        Meta { owner: None, at }
    }

    fn registered() -> User {
        let mut user = User::default();
        let event = user.register(RegistrationVia::Development, profile()).unwrap();
        user.evolve(&event, meta(at(0)));
        user
    }

    /// What becomes of a wish for one of three messages a day.
    fn uses(user: &mut User, hour: i64) -> Result<(), FreeMessageRejection> {
        let generation = GenerationId::from_uuid(uuid::Uuid::nil());
        let event = user.use_free_message(generation, NonZeroU32::new(3).unwrap(), at(hour))?;
        user.evolve(&event, meta(at(hour)));
        Ok(())
    }

    #[test]
    fn a_person_is_registered_once() {
        assert_eq!(
            registered().register(RegistrationVia::Service, profile()),
            Err(UserRejection::AlreadyRegistered)
        );
    }

    #[test]
    fn a_role_is_given_once_and_can_be_taken_back() {
        let mut user = registered();
        assert_eq!((user.role(), user.change_role(UserRole::User)), (Ok(UserRole::User), Ok(None)));
        for role in [UserRole::Auditor, UserRole::User] {
            let event = user.change_role(role).unwrap().unwrap();
            user.evolve(&event, meta(at(1)));
            assert_eq!((user.role(), user.change_role(role)), (Ok(role), Ok(None)));
        }
        assert_eq!(User::default().change_role(UserRole::Admin), Err(UserRejection::Unknown));
    }

    #[test]
    fn an_administrator_may_everything_and_the_others_what_is_theirs_and_a_users() {
        for role in UserRole::ALL {
            assert!(UserRole::Admin.includes(role) && role.includes(UserRole::User), "{role:?}");
            let theirs = UserRole::ALL.into_iter().filter(|wanted| role.includes(*wanted)).count();
            let expected = match role {
                UserRole::User => 1,
                UserRole::Auditor | UserRole::Analyst | UserRole::Service => 2,
                UserRole::Admin => UserRole::ALL.len(),
            };
            assert_eq!(theirs, expected, "{role:?}");
        }
    }

    #[test]
    fn settings_that_hold_already_are_no_event() {
        let dark = UserSettingsPatch { theme: Patch::Set(Theme::Dark), ..UserSettingsPatch::default() };
        let mut user = registered();
        let changed = user.change_settings(dark.clone()).unwrap().unwrap();
        user.evolve(&UserEvent::SettingsChanged(changed), meta(at(1)));
        assert_eq!(user.change_settings(dark), Ok(None));
        assert_eq!(user.change_settings(UserSettingsPatch::default()), Ok(None), "what is kept stays");
    }

    #[test]
    fn another_default_provider_takes_the_model_of_the_one_before_along() {
        let provider = |id: &str| ProviderId::parse(id).unwrap();
        let mut user = registered();
        let set = |user: &mut User, default| {
            let patch = UserSettingsPatch { default, ..UserSettingsPatch::default() };
            let changed = user.change_settings(patch).unwrap().unwrap();
            user.evolve(&UserEvent::SettingsChanged(changed), meta(at(1)));
            let settings = user.settings().unwrap();
            (settings.default_provider.clone(), settings.default_model.clone())
        };
        let model = ModelId::parse("gpt-5-nano").unwrap();
        let openai = (provider("openai"), Some(model.clone()));
        assert_eq!(set(&mut user, Patch::Set(openai)), (Some(provider("openai")), Some(model)));
        assert_eq!(set(&mut user, Patch::Set((provider("grok"), None))), (Some(provider("grok")), None));
        assert_eq!(set(&mut user, Patch::Unset), (None, None));
    }

    #[test]
    fn who_stays_where_they_were_is_not_located_again() {
        let somewhere =
            |city: &str| RequestMetadata { city: Some(city.into()), ..RequestMetadata::default() };
        let mut user = registered();
        for city in ["Bern", "Basel", "Bern"] {
            let event = user.locate(somewhere(city)).unwrap().unwrap();
            user.evolve(&event, meta(at(1)));
            assert_eq!(user.locate(somewhere(city)), Ok(None));
        }
        assert_eq!(User::default().locate(somewhere("Bern")), Err(UserRejection::Unknown));
    }

    #[test]
    fn who_is_being_erased_changes_nothing_any_more_and_is_erased_once() {
        let email = EmailId::from_uuid(uuid::Uuid::from_u128(1));
        let mut user = registered();
        assert_eq!(user.check_active(), Ok(()));
        assert_eq!(user.confirm_erasure(), Err(UserRejection::Unknown), "nobody has requested it");
        let requested = user.request_erasure(Some(email)).unwrap().unwrap();
        user.evolve(&requested, meta(at(1)));
        assert_eq!(user.check_active(), Err(UserRejection::Erased));
        assert_eq!(user.role(), Err(UserRejection::Erased));
        assert_eq!(user.change_settings(UserSettingsPatch::default()), Err(UserRejection::Erased));
        assert_eq!(user.locate(RequestMetadata::default()), Err(UserRejection::Erased));
        assert_eq!(user.request_erasure(None), Ok(None), "begun before");
        let erased = user.confirm_erasure().unwrap().unwrap();
        user.evolve(&erased, meta(at(2)));
        assert_eq!((user.confirm_erasure(), user.request_erasure(None)), (Ok(None), Ok(None)));
        assert_eq!(
            user.register(RegistrationVia::Service, profile()),
            Err(UserRejection::AlreadyRegistered),
            "the id is theirs for ever"
        );
    }

    #[test]
    fn nobody_has_no_settings() {
        let change = User::default().change_settings(UserSettingsPatch::default());
        assert_eq!(change, Err(UserRejection::Unknown));
    }
    #[test]
    fn so_many_messages_a_day_are_free_and_the_next_one_is_when_the_oldest_is_a_day_old() {
        let mut user = registered();
        for hour in [0, 10, 20] {
            assert_eq!(uses(&mut user, hour), Ok(()));
        }
        let retry_after = Duration::from_hours(1);
        assert_eq!(uses(&mut user, 23), Err(FreeMessageRejection::AllUsed { retry_after }));
        assert_eq!(uses(&mut user, 24), Ok(()));
        let retry_after = Duration::from_hours(9);
        assert_eq!(uses(&mut user, 25), Err(FreeMessageRejection::AllUsed { retry_after }));
        assert_eq!(uses(&mut user, 100), Ok(()));
    }

    #[test]
    fn nobody_has_no_free_messages() {
        assert_eq!(uses(&mut User::default(), 0), Err(FreeMessageRejection::Unknown));
    }
}
