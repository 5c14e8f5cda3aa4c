//! What the user has set for all requests of a conversation. It is applied when a reply is requested, and goes after what
//! the request says itself.

use super::{Conversation, NoSuchConversation};
use crate::event::{ConversationEvent, ConversationSettingsChanged, RequestContent};
use crate::ids::UserId;
use crate::values::{MaxTokens, Params, SystemPrompt, Temperature, TopP};

/// What holds for a conversation's requests; absent means unset.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// The parameters.
    pub params: Params,
    /// The instructions; absent too when they were erased.
    pub system_prompt: Option<SystemPrompt>,
}

/// What becomes of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is unset.
    Unset,
    /// It is set.
    Set(T),
}

/// A change of settings.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SettingsPatch {
    pub temperature: Patch<Temperature>,
    pub top_p: Patch<TopP>,
    pub max_tokens: Patch<MaxTokens>,
    pub enable_thinking: Patch<bool>,
    pub enable_web_search: Patch<bool>,
    pub system_prompt: Patch<SystemPrompt>,
}

impl<T> Patch<T> {
    fn on(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Unset => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl SettingsPatch {
    fn on(self, before: Settings) -> Settings {
        let Settings { params, system_prompt } = before;
        Settings {
            params: Params {
                temperature: self.temperature.on(params.temperature),
                top_p: self.top_p.on(params.top_p),
                max_tokens: self.max_tokens.on(params.max_tokens),
                enable_thinking: self.enable_thinking.on(params.enable_thinking),
                enable_web_search: self.enable_web_search.on(params.enable_web_search),
                picture_size: None,
            },
            system_prompt: self.system_prompt.on(system_prompt),
        }
    }
}

impl From<&ConversationSettingsChanged> for Settings {
    fn from(changed: &ConversationSettingsChanged) -> Self {
        let content = changed.content.open();
        let system_prompt = content.and_then(|content| content.system_prompt.clone());
        Self { params: changed.params, system_prompt }
    }
}

impl Conversation {
    /// The user changes what holds for its requests from now on; `None` when it holds already. What waits is asked under
    /// the settings that hold when it is sent.
    ///
    /// # Errors
    /// It does not exist, is deleted, or is not `actor`'s.
    pub fn change_settings(
        &self,
        actor: UserId,
        patch: SettingsPatch,
    ) -> Result<Option<ConversationEvent>, NoSuchConversation> {
        self.check_owner(actor)?;
        let changed = patch.on(self.settings.clone());
        Ok((changed != self.settings).then(|| {
            let Settings { params, system_prompt } = changed;
            let content = RequestContent { system_prompt }.into();
            ConversationEvent::ConversationSettingsChanged(ConversationSettingsChanged { params, content })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Given, ann, given, says};
    use super::super::{NewGeneration, OnBusy};
    use super::*;

    fn temperature(value: f64) -> Temperature {
        Temperature::parse(value).unwrap()
    }

    fn brief() -> SystemPrompt {
        SystemPrompt::parse("Be brief.".into()).unwrap()
    }

    fn warm() -> SettingsPatch {
        SettingsPatch {
            temperature: Patch::Set(temperature(1.5)),
            enable_web_search: Patch::Set(true),
            system_prompt: Patch::Set(brief()),
            ..SettingsPatch::default()
        }
    }

    impl Given {
        fn set(self, patch: SettingsPatch) -> Self {
            let changed = self.0.change_settings(ann(), patch).unwrap().unwrap();
            self.apply(&[changed])
        }
    }

    fn cold(n: u128, on_busy: OnBusy) -> super::super::PostMessage {
        let mut cold = says(n, on_busy);
        cold.ask.params.temperature = Some(temperature(0.0));
        cold
    }

    /// Temperature, search and instructions of a request, and which temperature it named itself.
    fn asked(generation: &NewGeneration) -> (Option<f64>, Option<bool>, Option<SystemPrompt>, Option<f64>) {
        let asked = &generation.requested;
        let content = asked.content.open().unwrap();
        let (own, _) = asked.own_words().unwrap();
        let (params, prompt) = (asked.params, content.system_prompt.clone());
        let number = |temperature: Option<Temperature>| temperature.map(Temperature::get);
        (number(params.temperature), params.enable_web_search, prompt, number(own.temperature))
    }

    #[test]
    fn what_is_set_holds_for_a_request_unless_it_says_otherwise_itself() {
        let chat = given().posted(1, OnBusy::Reject).replied(1).set(warm());
        let silent = chat.0.post(ann(), says(2, OnBusy::Reject)).unwrap().generation.unwrap();
        assert_eq!(asked(&silent), (Some(1.5), Some(true), Some(brief()), None));
        let cold = chat.0.post(ann(), cold(2, OnBusy::Reject)).unwrap().generation.unwrap();
        assert_eq!(asked(&cold), (Some(0.0), Some(true), Some(brief()), Some(0.0)));
    }

    #[test]
    fn a_request_that_takes_nothing_from_the_settings_is_recorded_as_its_own() {
        let chat = given().0;
        let generation = chat.post(ann(), cold(1, OnBusy::Reject)).unwrap().generation.unwrap();
        assert_eq!(generation.requested.own, None);
        assert_eq!(asked(&generation), (Some(0.0), None, None, Some(0.0)));
    }

    #[test]
    fn what_waits_is_asked_under_the_settings_that_hold_when_it_is_sent() {
        let chat = given().posted(1, OnBusy::Reject);
        let queued = chat.0.post(ann(), cold(2, OnBusy::Queue)).unwrap();
        let chat = chat.apply(&queued.events).set(warm());
        let next = chat.end(1).unwrap().next.unwrap();
        assert_eq!(asked(&next), (Some(0.0), Some(true), Some(brief()), Some(0.0)));
    }

    #[test]
    fn a_change_touches_what_it_names_and_what_holds_already_is_no_event() {
        let chat = given().posted(1, OnBusy::Reject).set(warm());
        assert_eq!(chat.0.change_settings(ann(), SettingsPatch::default()), Ok(None));
        assert_eq!(chat.0.change_settings(ann(), warm()), Ok(None));
        let without = SettingsPatch { temperature: Patch::Unset, ..SettingsPatch::default() };
        let chat = chat.set(without);
        let params = Params { enable_web_search: Some(true), ..Params::default() };
        assert_eq!(chat.0.settings(), &Settings { params, system_prompt: Some(brief()) });
    }

    #[test]
    fn nobody_else_changes_them() {
        let chat = given().posted(1, OnBusy::Reject).0;
        let bob = UserId::from_uuid(uuid::Uuid::from_u128(0xB));
        assert_eq!(chat.change_settings(bob, warm()), Err(NoSuchConversation));
    }
}
