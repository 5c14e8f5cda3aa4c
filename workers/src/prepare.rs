//! From a recorded request to the question a provider is asked.

use slipstream_commands::{CommandError, Position};
use slipstream_domain::event::{GenerationRequested, HistoryCut};
use slipstream_domain::{ErrorClass, GenerationKind, KeySource, ProviderId, Request};
use slipstream_providers::{ApiKey, ChatRequest, KeyOwner, Turn, estimate_tokens, fit};

use crate::answer::Fault;
use crate::worker::Worker;

/// A question, ready to be asked.
pub(crate) struct Prepared {
    /// Who is asked: the request's provider, or the simulated one in its place.
    pub(crate) provider: ProviderId,
    pub(crate) question: ChatRequest,
    pub(crate) history_cut: Option<HistoryCut>,
    /// About how many tokens the question has.
    pub(crate) input_tokens: u64,
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
        let needs_key =
            self.catalogue.vendor(&asked.provider).is_some_and(|vendor| vendor.key_setting.is_some());
        asked.key_source == KeySource::None && needs_key
    }

    /// The question of a request that stands in the log at `requested_at`.
    pub(crate) async fn prepare(
        &self,
        request: &Request,
        requested_at: Position,
    ) -> Result<Prepared, Unprepared> {
        let asked = &request.asked;
        match asked.kind {
            GenerationKind::Chat => {}
            GenerationKind::Image => {
                return Err(Fault::new(ErrorClass::InvalidRequest, "Images cannot be generated yet.").into());
            }
        }
        let model = self
            .catalogue
            .chat_model(&asked.provider, Some(&asked.model))
            .map_err(|unknown| Fault::new(ErrorClass::InvalidRequest, unknown.to_string()))?;
        let history = self.history(request, requested_at).await?;
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
            thinking: true,
            web_search: false,
            user_location: None,
            picture_size: None,
            key: self.key(request).await?,
            key_owner: match (asked.key_source, request.owner) {
                (KeySource::Own { .. }, Some(owner)) => KeyOwner::User(owner),
                (KeySource::Own { .. } | KeySource::Server | KeySource::None, _) => KeyOwner::Server,
            },
        };
        let history_cut = fit(&mut question);
        let provider = if self.stands_in(asked) { ProviderId::simulated() } else { asked.provider.clone() };
        let input_tokens = question.system.as_deref().map_or(0, estimate_tokens)
            + question.history.iter().map(|turn| estimate_tokens(turn.text())).sum::<u64>();
        Ok(Prepared { provider, question, history_cut, input_tokens })
    }

    /// The key that the request names.
    async fn key(&self, request: &Request) -> Result<Option<ApiKey>, Fault> {
        let asked = &request.asked;
        let Some(owner) = request.owner else { return Ok(None) };
        let secret = match self.app.keys().key(owner, &asked.provider, asked.key_source).await {
            Ok(secret) => secret,
            Err(error) => {
                tracing::warn!(%error, "a key cannot be had");
                let message = format!("The key for {} cannot be had at the moment.", asked.provider);
                return Err(Fault::new(ErrorClass::Auth, message));
            }
        };
        secret.map(|secret| ApiKey::parse(&secret)).transpose().map_err(|error| {
            Fault::new(ErrorClass::Auth, format!("The key for {}: {error}.", asked.provider))
        })
    }
}
