//! From a recorded request to the question a provider is asked.

use std::sync::Arc;

use slipstream_commands::{CommandError, Position};
use slipstream_domain::event::{AnsweredBy, ConversationEvent, GenerationRequested, HistoryCut};
use slipstream_domain::{
    ErrorClass, GenerationKind, KeySource, MessageId, ModelId, ProviderId, Request, RequestMetadata,
};
use slipstream_projections::conversation_log;
use slipstream_providers::{
    ApiKey, Capability, ChatRequest, KeyOwner, Model, Turn, UserLocation, estimate_tokens, fit,
};

use crate::answer::Fault;
use crate::history::Reader;
use crate::worker::Worker;

/// A question, ready to be asked.
pub(crate) struct Prepared {
    /// Who is asked: the model's provider, or the simulated one in its place.
    pub(crate) provider: ProviderId,
    pub(crate) question: ChatRequest,
    pub(crate) history_cut: Option<HistoryCut>,
    /// About how many tokens the question has.
    pub(crate) input_tokens: u64,
}

impl Prepared {
    /// Whether the model itself is asked, and costs what it costs.
    pub(crate) fn is_paid(&self) -> bool {
        self.provider == self.question.model.provider
    }
}

/// Whom a request is put to.
struct Whom<'a> {
    provider: &'a ProviderId,
    model: &'a ModelId,
    key_source: KeySource,
}

/// Why there is nothing to ask.
pub(crate) enum Unprepared {
    /// The request cannot be answered; it ends with this.
    Fault(Fault),
    /// The log or a read model did not answer.
    Log(CommandError),
}

impl From<CommandError> for Unprepared {
    fn from(error: CommandError) -> Self {
        Self::Log(error)
    }
}

impl From<Fault> for Unprepared {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Worker {
    /// Whether the simulated provider answers in place of the one that was asked, because nobody has a key for it.
    pub(crate) fn stands_in(&self, asked: &GenerationRequested) -> bool {
        asked.key_source == KeySource::None && self.needs_key(&asked.provider)
    }

    /// The model that answers then.
    pub(crate) fn stand_in(&self) -> Option<AnsweredBy> {
        let provider = ProviderId::simulated();
        let model = self.catalogue.default_model(&provider)?.id.clone();
        Some(AnsweredBy { provider, model })
    }

    fn needs_key(&self, provider: &ProviderId) -> bool {
        self.catalogue.vendor(provider).is_some_and(|vendor| vendor.key_setting.is_some())
    }

    /// The question of a request that stands in the log at `requested_at`.
    pub(crate) async fn prepare(
        &self,
        request: &Request,
        requested_at: Position,
    ) -> Result<Prepared, Unprepared> {
        let asked = &request.asked;
        let whom = Whom { provider: &asked.provider, model: &asked.model, key_source: asked.key_source };
        self.question(request, requested_at, whom).await
    }

    /// The same question for the model that is to answer when the one asked cannot be had; `None` when there is none that
    /// the request's key pays for.
    pub(crate) async fn fallback(&self, request: &Request, requested_at: Position) -> Option<Prepared> {
        match self.question(request, requested_at, self.fallback_of(&request.asked)?).await {
            Ok(prepared) => Some(prepared),
            Err(Unprepared::Fault(fault)) => {
                tracing::warn!(reason = fault.message, "the fallback model cannot be asked");
                None
            }
            Err(Unprepared::Log(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the fallback model is not asked");
                None
            }
        }
    }

    /// The server's key pays for whatever the operator has configured; a user's own for nobody but its provider, and a
    /// request without a key for providers that need none.
    fn fallback_of(&self, asked: &GenerationRequested) -> Option<Whom<'_>> {
        let next = self.settings.fallbacks.get(&asked.provider)?;
        let same_provider = next.provider == asked.provider;
        if self.stands_in(asked) || (same_provider && next.model == asked.model) {
            return None;
        }
        let key_source = match asked.key_source {
            _ if !self.needs_key(&next.provider) => KeySource::None,
            KeySource::Server => KeySource::Server,
            own @ KeySource::Own { .. } if same_provider => own,
            KeySource::Own { .. } | KeySource::None => return None,
        };
        Some(Whom { provider: &next.provider, model: &next.model, key_source })
    }

    async fn question(
        &self,
        request: &Request,
        requested_at: Position,
        whom: Whom<'_>,
    ) -> Result<Prepared, Unprepared> {
        let asked = &request.asked;
        let model = match asked.kind {
            GenerationKind::Chat => self
                .catalogue
                .chat_model(whom.provider, Some(whom.model))
                .map_err(|unknown| Fault::new(ErrorClass::InvalidRequest, unknown.to_string()))?,
            GenerationKind::Image => self.painter(&whom)?,
        };
        let thinking = asked.params.enable_thinking.unwrap_or(true);
        let web_search = asked.params.enable_web_search.unwrap_or(false);
        let key = self.key(request, &whom).await?;
        let to = Reader { model, thinks: thinking, key: key.as_ref() };
        let history = self.history(request, requested_at, to).await?;
        if !matches!(history.last(), Some(Turn::User { .. })) {
            return Err(Fault::new(ErrorClass::InvalidRequest, "The message to answer is gone.").into());
        }
        let content = asked.content.open();
        let system = content.and_then(|content| content.system_prompt.as_ref());
        let mut question = ChatRequest {
            model: model.clone(),
            system: system.map(|system| system.as_str().to_owned()),
            history,
            params: asked.params,
            thinking,
            web_search,
            user_location: self.user_location(asked, model).await,
            key,
            key_owner: match (whom.key_source, request.owner) {
                (KeySource::Own { .. }, Some(owner)) => KeyOwner::User(owner),
                (KeySource::Own { .. } | KeySource::Server | KeySource::None, _) => KeyOwner::Server,
            },
        };
        let history_cut = fit(&mut question);
        let provider = if self.stands_in(asked) { ProviderId::simulated() } else { whom.provider.clone() };
        let input_tokens = question.system.as_deref().map_or(0, estimate_tokens)
            + question.history.iter().map(|turn| estimate_tokens(turn.text())).sum::<u64>();
        Ok(Prepared { provider, question, history_cut, input_tokens })
    }

    /// The model that makes a picture.
    fn painter(&self, whom: &Whom<'_>) -> Result<&Arc<Model>, Fault> {
        let found = self.catalogue.model(whom.provider, whom.model);
        found.filter(|model| model.can(Capability::ImageOut)).ok_or_else(|| {
            let message = format!("Model {} of provider {} makes no pictures.", whom.model, whom.provider);
            Fault::new(ErrorClass::InvalidRequest, message)
        })
    }

    /// The key that pays.
    async fn key(&self, request: &Request, whom: &Whom<'_>) -> Result<Option<ApiKey>, Fault> {
        let provider = whom.provider;
        let Some(owner) = request.owner else { return Ok(None) };
        let secret = match self.app.keys().key(owner, provider, whom.key_source).await {
            Ok(secret) => secret,
            Err(error) => {
                tracing::warn!(%error, "a key cannot be had");
                let message = format!("The key for {provider} cannot be had at the moment.");
                return Err(Fault::new(ErrorClass::Auth, message));
            }
        };
        secret
            .map(|secret| ApiKey::parse(&secret))
            .transpose()
            .map_err(|error| Fault::new(ErrorClass::Auth, format!("The key for {provider}: {error}.")))
    }

    /// Where the user wrote the message to answer, for a model that is to search the web. What cannot be read is not known.
    async fn user_location(&self, asked: &GenerationRequested, model: &Model) -> Option<UserLocation> {
        let searches = asked.params.enable_web_search == Some(true) && model.can(Capability::Search);
        if !searches {
            return None;
        }
        match conversation_log(self.app.log(), asked.conversation_id).await {
            Ok(told) => {
                let events: Vec<_> = told.events.iter().map(|versioned| &versioned.event).collect();
                place_of(&events, asked.message_id)
            }
            Err(error) => {
                tracing::warn!(%error, "a model searches without knowing where its user is");
                None
            }
        }
    }
}

/// What the client said of the place of the message that `reply` answers.
fn place_of(events: &[&ConversationEvent], reply: MessageId) -> Option<UserLocation> {
    let answered = events.iter().rev().find_map(|event| {
        let ConversationEvent::ReplyRequested(requested) = event else { return None };
        (requested.message_id == reply).then_some(requested.parent_message_id)
    })?;
    let content = events.iter().rev().find_map(|event| {
        let ConversationEvent::UserMessagePosted(posted) = event else { return None };
        (posted.message_id == answered).then(|| posted.content.open())?
    })?;
    content.metadata.as_ref().map(location)
}

fn location(metadata: &RequestMetadata) -> UserLocation {
    let RequestMetadata { city, region, country, tz, .. } = metadata.clone();
    UserLocation { city, region, country, timezone: tz }
}
