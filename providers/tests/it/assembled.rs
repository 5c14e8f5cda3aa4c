//! Deltas put together, and what tests need to ask for them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use slipstream_domain::{Citation, ErrorClass, FinishReason, ModelId, Params, ProviderId, TokenUsage};
use slipstream_providers::{
    ApiKey, BreakerPolicy, Catalogue, ChatRequest, Delta, DeltaStream, HttpSettings, KeyOwner, ProviderError,
    Providers, RetryPolicy, Settings, Turn,
};
use slipstream_testkit::replay::ReplayServer;
use tokio_util::sync::CancellationToken;

use crate::expected::vendors;

/// The key every test uses; must not show up anywhere.
pub const KEY: &str = "sk-test-0123456789abcdef";

#[derive(Debug, Default, PartialEq)]
pub struct Assembled {
    pub thinking: String,
    pub text: String,
    pub signatures: Vec<String>,
    pub citations: Vec<Citation>,
    pub images: Vec<(String, usize)>,
    pub usage: Option<TokenUsage>,
    pub finish: Option<FinishReason>,
    pub error: Option<ProviderError>,
}

impl Assembled {
    pub async fn of(mut deltas: DeltaStream) -> Self {
        let mut all = Self::default();
        while let Some(item) = deltas.next().await {
            assert!(all.finish.is_none() && all.error.is_none(), "nothing follows the end");
            match item {
                Ok(Delta::Text(text)) => all.text.push_str(&text),
                Ok(Delta::Thinking(text)) => all.thinking.push_str(&text),
                Ok(Delta::Citation(citation)) => all.citations.push(citation),
                Ok(Delta::Image { mime, bytes }) => all.images.push((mime, bytes.len())),
                Ok(Delta::Usage(usage)) => all.usage = Some(usage),
                Ok(Delta::Finish { reason }) => all.finish = Some(reason),
                Ok(Delta::ThinkingSignature(signature)) => all.signatures.push(signature),
                Ok(Delta::ToolStatus { .. }) => {}
                Err(error) => all.error = Some(error),
            }
        }
        all
    }

    pub fn end(&self) -> Result<FinishReason, ErrorClass> {
        match (&self.finish, &self.error) {
            (Some(reason), None) => Ok(reason.clone()),
            (None, Some(error)) => Err(error.class()),
            ends => panic!("one end, not {ends:?}"),
        }
    }

    pub fn counts(&self) -> Option<[u64; 5]> {
        self.usage.map(|u| [u.input, u.cached_input, u.output, u.reasoning, u.total])
    }
}

pub fn provider(id: &str) -> ProviderId {
    ProviderId::parse(id).unwrap()
}

pub fn user(text: &str) -> Turn {
    Turn::User { text: text.to_owned(), attachments: Vec::new() }
}

pub fn assistant(of: &str, model: &str, text: &str) -> Turn {
    Turn::Assistant {
        provider: provider(of),
        model: ModelId::parse(model).unwrap(),
        text: text.to_owned(),
        thinking: Vec::new(),
    }
}

/// The shipped catalogue with a compatible endpoint on top.
pub fn catalogue() -> Arc<Catalogue> {
    let local = r#"{"version":"test","providers":[{"id":"compatible","base_url":"http://127.0.0.1:1/v1","models":[
        {"id":"qwen3:8b","name":"Qwen 3","can":["chat","thinking","image_in"],"context":32768,
         "thinking":{"effort":{"on":"high","off":"none"}}}]}]}"#;
    Arc::new(Catalogue::shipped().unwrap().extended(local).unwrap())
}

pub fn request(of: &str, model: &str, history: Vec<Turn>) -> ChatRequest {
    let model = ModelId::parse(model).unwrap();
    ChatRequest {
        model: Arc::clone(catalogue().model(&provider(of), &model).unwrap()),
        system: None,
        history,
        params: Params::default(),
        thinking: true,
        web_search: false,
        user_location: None,
        key: Some(ApiKey::parse(&KEY.into()).unwrap()),
        key_owner: KeyOwner::Server,
    }
}

/// Asks for a golden by name.
pub fn golden(name: &str) -> ChatRequest {
    golden_of("openai", "gpt-4.1", name)
}

/// Asks for a golden of a vendor by name.
pub fn golden_of(vendor: &str, model: &str, name: &str) -> ChatRequest {
    request(vendor, model, vec![user(&format!("[[golden={name}]] go"))])
}

/// Adapters that are only looked at.
pub fn offline() -> Providers {
    Providers::new(&Settings::default(), &catalogue(), Arc::new(|| 0.5)).unwrap()
}

/// Adapters whose vendors are all the replay server.
/// Patient: on a busy machine a piece may come late. A golden that falls silent wants [`impatient`].
pub fn providers(server: &ReplayServer, retries: u32) -> Providers {
    providers_with(
        server,
        retries,
        HttpSettings { connect: Duration::from_mins(1), ..HttpSettings::default() },
    )
}

/// Gives a silent vendor up at once.
pub fn impatient(server: &ReplayServer, retries: u32) -> Providers {
    providers_with(server, retries, SHORT_SILENCE)
}

const SHORT_SILENCE: HttpSettings = HttpSettings {
    connect: Duration::from_mins(1),
    first_byte: Duration::from_mins(1),
    silence: Duration::from_millis(500),
    work: Duration::from_millis(700),
    max_event_bytes: 16 * 1024 * 1024,
};

fn providers_with(server: &ReplayServer, retries: u32, http: HttpSettings) -> Providers {
    let retry = RetryPolicy { retries, base: Duration::from_millis(1), ..RetryPolicy::default() };
    made(server, Settings { http, retry, ..Settings::default() })
}

fn made(server: &ReplayServer, mut settings: Settings) -> Providers {
    settings.base_urls =
        vendors().iter().map(|of| (provider(of.name), server.base_url_of(of.name))).collect();
    Providers::new(&settings, &catalogue(), Arc::new(|| 0.5)).unwrap()
}

/// Two sets of adapters for many goldens: their circuits never open, and one gives a silent vendor up at once.
pub struct Tireless {
    patient: Providers,
    impatient: Providers,
}

impl Tireless {
    pub fn of(server: &ReplayServer) -> Self {
        let retry = RetryPolicy { retries: 0, ..RetryPolicy::default() };
        let breaker = BreakerPolicy { failures: usize::MAX, ..BreakerPolicy::default() };
        let with = |http| made(server, Settings { http, retry, breaker, ..Settings::default() });
        Self { patient: with(HttpSettings::default()), impatient: with(SHORT_SILENCE) }
    }

    pub async fn ask(&self, vendor: &str, model: &str, name: &str) -> (Assembled, u32) {
        let providers = if name.starts_with("silence") { &self.impatient } else { &self.patient };
        let asked = golden_of(vendor, model, name);
        let call = providers.call(&provider(vendor), asked, CancellationToken::new());
        (Assembled::of(call.deltas).await, call.attempts.made())
    }
}
