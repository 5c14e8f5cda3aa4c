//! The adapters of this process, by provider id, with the rules all calls share.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, stream};
use slipstream_domain::{ErrorClass, ProviderId};
use tokio_util::sync::CancellationToken;

use crate::anthropic::Anthropic;
use crate::base_url::BaseUrl;
use crate::breaker::{Breaker, BreakerPolicy};
use crate::call::{Attempts, Call, Rules, call};
use crate::chat_completions::{ChatCompletions, Dialect};
use crate::gemini::Gemini;
use crate::grok::Grok;
use crate::http::{Http, HttpSettings, Traceparent};
use crate::key_check::KeyCheck;
use crate::meta::Meta;
use crate::openai::OpenAi;
use crate::simulated::Simulated;
use crate::{
    ApiKey, Attachment, BaseUrlError, Catalogue, ChatRequest, FileKind, Intake, Jitter, Model, Provider,
    ProviderError, RetryPolicy, Unreadable, UploadedFile, Vendor,
};

/// What the operator may set. Keys are not here: each request brings its own.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Base URLs that differ from the vendor's own (or from the catalogue's, for a compatible endpoint); with or without the
    /// version path. One of a provider without an adapter is not used.
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
    key_checks: BTreeMap<ProviderId, KeyCheck>,
    http: Http,
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
        let mut key_checks = BTreeMap::new();
        for vendor in catalogue.vendors() {
            if let Some(adapter) = adapter(vendor, settings, &http, catalogue)? {
                adapters.insert(vendor.id.clone(), adapter);
            }
            let check = KeyCheck::of(vendor, |default, version| base(vendor, settings, default, version))?;
            key_checks.extend(check.map(|check| (vendor.id.clone(), check)));
        }
        let rules = Rules { retry: settings.retry, breaker: Breaker::new(settings.breaker), jitter };
        Ok(Self { adapters, key_checks, http, rules })
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

    /// In which forms the vendor of `model` takes a file of this media type.
    ///
    /// # Errors
    /// The model cannot read such files.
    pub fn intake(&self, model: &Model, mime: &str) -> Result<Intake, Unreadable> {
        let unreadable =
            || Unreadable { model: model.name.clone(), file: "this file".into(), mime: mime.into() };
        let kind = FileKind::of(mime).filter(|kind| kind.readable_by(model)).ok_or_else(unreadable)?;
        Ok(match (kind, self.get(&model.provider)) {
            // It goes into the message.
            (FileKind::Text, _) | (_, None) => Intake::inline(u64::MAX),
            (FileKind::Image | FileKind::Pdf, Some(adapter)) => adapter.intake(kind),
        })
    }

    /// Whether the thinking of the model's earlier answers goes back to it.
    #[must_use]
    pub fn takes_thinking(&self, model: &Model) -> bool {
        self.get(&model.provider).is_some_and(|adapter| adapter.takes_thinking(model))
    }

    /// Gives the vendor a file to keep for a while, where [`Intake::upload`] says that it takes one so. Once, without
    /// retries. Cancel-safe: dropping it gives up.
    ///
    /// # Errors
    /// `file` does not hold its content, or the vendor does not take it.
    pub async fn upload(
        &self,
        provider: &ProviderId,
        key: Option<&ApiKey>,
        file: &Attachment,
    ) -> Result<UploadedFile, ProviderError> {
        match self.get(provider) {
            Some(adapter) => adapter.upload(key, file).await,
            None => Err(mute(provider)),
        }
    }

    /// Whether the vendor takes a key. Asked once, without retries. Cancel-safe.
    ///
    /// # Errors
    /// `Auth` when it refuses the key, `InvalidRequest` when it takes none; else it cannot be told. No error holds the key.
    pub async fn check_key(&self, provider: &ProviderId, key: &ApiKey) -> Result<(), ProviderError> {
        let Some(check) = self.key_checks.get(provider) else {
            let message = format!("provider {provider} takes no keys");
            return Err(ProviderError::new(ErrorClass::InvalidRequest, &message));
        };
        check.check(&self.http, key).await
    }

    /// Asks `provider`, which may be another than the model's own (`simulated` stands in for one without a key).
    /// Retries and the circuit breaker apply. Cancel-safe: dropping the call, or firing `cancel`, closes the connection.
    #[must_use]
    pub fn call(&self, provider: &ProviderId, request: ChatRequest, cancel: CancellationToken) -> Call {
        if let Some(adapter) = self.get(provider) {
            return call(Arc::clone(adapter), request, cancel, self.rules.clone());
        }
        Call { deltas: stream::iter([Err(mute(provider))]).boxed(), attempts: Attempts::default() }
    }
}

fn mute(provider: &ProviderId) -> ProviderError {
    let message = format!("this version of Slipstream cannot speak to provider {provider}");
    ProviderError::new(ErrorClass::InvalidRequest, &message)
}

/// A vendor's base URL: the one that is set, else its own.
fn base(
    vendor: &Vendor,
    settings: &Settings,
    default: &str,
    version: &str,
) -> Result<BaseUrl, SettingsError> {
    let text = settings.base_urls.get(&vendor.id).map_or(default, String::as_str);
    let fault = |source| SettingsError::BaseUrl { provider: vendor.id.clone(), source };
    BaseUrl::parse(text, version).map_err(fault)
}

/// The adapter of a vendor; none for one that is neither known by name nor has an address.
fn adapter(
    vendor: &Vendor,
    settings: &Settings,
    http: &Http,
    catalogue: &Arc<Catalogue>,
) -> Result<Option<Arc<dyn Provider>>, SettingsError> {
    let (id, http) = (vendor.id.clone(), http.clone());
    let base = |default: &str, version: &str| base(vendor, settings, default, version);
    let chat = |default: &str, dialect| -> Result<Arc<dyn Provider>, SettingsError> {
        let base = base(default, ChatCompletions::VERSION)?;
        Ok(Arc::new(ChatCompletions::new(vendor.id.clone(), http.clone(), &base, dialect)))
    };
    Ok(Some(match (vendor.id.as_str(), vendor.base_url.as_deref()) {
        ("openai", _) => Arc::new(OpenAi::new(id, http, &base(OpenAi::BASE_URL, OpenAi::VERSION)?)),
        ("anthropic", _) => {
            Arc::new(Anthropic::new(id, http, &base(Anthropic::BASE_URL, Anthropic::VERSION)?))
        }
        ("gemini", _) => Arc::new(Gemini::new(id, http, base(Gemini::BASE_URL, Gemini::VERSION)?)),
        ("grok", _) => Arc::new(Grok::new(id, http, &base(Grok::BASE_URL, Grok::VERSION)?)),
        ("meta", _) => Arc::new(Meta::new(id, http, &base(Meta::BASE_URL, Meta::VERSION)?)),
        ("vercel", _) => chat(ChatCompletions::V0_BASE_URL, Dialect::V0)?,
        (ProviderId::SIMULATED, _) => Arc::new(Simulated::new(Arc::clone(catalogue))),
        (_, Some(address)) => chat(address, Dialect::Compatible)?,
        (_, None) => return Ok(None),
    }))
}
