//! The adapters of this process, by provider id, with the rules all calls share.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use slipstream_domain::{ErrorClass, ProviderId};
use tokio_util::sync::CancellationToken;

use crate::base_url::BaseUrl;
use crate::breaker::{Breaker, BreakerPolicy};
use crate::call::{Attempts, Call, Rules, call};
use crate::http::{Http, HttpSettings, Traceparent};
use crate::openai::OpenAi;
use crate::simulated::Simulated;
use crate::{BaseUrlError, Catalogue, ChatRequest, Jitter, Provider, ProviderError, RetryPolicy};

/// What the operator may set. Keys are not here: each request brings its own.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Base URLs that differ from the vendor's own; with or without the version path. One of a provider without an
    /// adapter is not used.
    pub base_urls: BTreeMap<ProviderId, String>,
    /// Time-outs and limits.
    pub http: HttpSettings,
    /// When to ask again.
    pub retry: RetryPolicy,
    /// When to stop asking.
    pub breaker: BreakerPolicy,
    /// Tells vendors which trace a request belongs to; they are told nothing without it.
    pub traceparent: Option<Traceparent>,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A base URL is malformed.
    #[error("the base URL of provider {provider} cannot be used")]
    BaseUrl {
        /// Whose.
        provider: ProviderId,
        /// What would be right.
        source: BaseUrlError,
    },
    /// The HTTP client could not be made (TLS roots, for example).
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[source] reqwest::Error),
}

/// All adapters. Cheap to share behind an `Arc`.
pub struct Providers {
    adapters: BTreeMap<ProviderId, Arc<dyn Provider>>,
    rules: Rules,
}

impl Providers {
    /// Makes every adapter; nothing is sent.
    ///
    /// # Errors
    /// A base URL is malformed, or the HTTP client cannot be made.
    pub fn new(
        settings: &Settings,
        catalogue: &Arc<Catalogue>,
        jitter: Jitter,
    ) -> Result<Self, SettingsError> {
        let http = Http::new(settings.http, settings.traceparent).map_err(SettingsError::Client)?;
        let mut adapters: BTreeMap<ProviderId, Arc<dyn Provider>> = BTreeMap::new();
        for id in catalogue.vendors().iter().map(|vendor| &vendor.id) {
            let adapter: Arc<dyn Provider> = match id.as_str() {
                "openai" => {
                    let text = settings.base_urls.get(id).map_or(OpenAi::BASE_URL, String::as_str);
                    let base = BaseUrl::parse(text, OpenAi::VERSION)
                        .map_err(|source| SettingsError::BaseUrl { provider: id.clone(), source })?;
                    Arc::new(OpenAi::new(id.clone(), http.clone(), &base))
                }
                ProviderId::SIMULATED => Arc::new(Simulated::new(Arc::clone(catalogue))),
                _ => continue,
            };
            adapters.insert(id.clone(), adapter);
        }
        let rules = Rules { retry: settings.retry, breaker: Breaker::new(settings.breaker), jitter };
        Ok(Self { adapters, rules })
    }

    /// The same with one adapter more, or with another one for the provider it speaks to.
    #[must_use]
    pub fn with(mut self, adapter: Arc<dyn Provider>) -> Self {
        self.adapters.insert(adapter.id().clone(), adapter);
        self
    }

    /// One adapter, to be asked once and without the rules of [`Providers::call`].
    #[must_use]
    pub fn get(&self, provider: &ProviderId) -> Option<&Arc<dyn Provider>> {
        self.adapters.get(provider)
    }

    /// Asks `provider`, which may be another than the model's own (`simulated` stands in for one without a key).
    /// Retries and the circuit breaker apply. Cancel-safe: dropping the call, or firing `cancel`, closes the connection.
    #[must_use]
    pub fn call(&self, provider: &ProviderId, request: ChatRequest, cancel: CancellationToken) -> Call {
        if let Some(adapter) = self.get(provider) {
            return call(Arc::clone(adapter), request, cancel, self.rules.clone());
        }
        let message = format!("this version of Slipstream cannot speak to provider {provider} yet");
        let error = ProviderError::new(ErrorClass::InvalidRequest, &message);
        Call { deltas: stream::iter([Err(error)]).boxed(), attempts: Attempts::default() }
    }
}
