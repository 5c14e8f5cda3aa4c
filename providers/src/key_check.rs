//! Whether a vendor takes a key: asks for something that costs nothing. Keys go in headers.
//!
//! After the vendors' API references: OpenAI, Anthropic, Google, Meta and compatible servers list their models; xAI
//! (`GET /v1/api-key`) and v0 (`GET /v1/user`) say what they think of a key.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use slipstream_domain::{ErrorClass, ProviderId};

use crate::anthropic::Anthropic;
use crate::chat_completions::ChatCompletions;
use crate::exchange::answered;
use crate::gemini::Gemini;
use crate::grok::Grok;
use crate::http::Http;
use crate::meta::Meta;
use crate::openai::OpenAi;
use crate::{ApiKey, KeyError, ProviderError, SettingsError, Vendor};

/// How a vendor is asked about keys.
#[derive(Debug)]
pub(crate) struct KeyCheck {
    provider: ProviderId,
    url: Url,
    shows: Shows,
}

/// Where a key goes.
#[derive(Debug, Clone, Copy)]
enum Shows {
    Bearer,
    Anthropic,
    Google,
}

/// What xAI says of a key.
#[derive(Deserialize)]
struct GrokKey {
    #[serde(default)]
    api_key_blocked: bool,
    #[serde(default)]
    api_key_disabled: bool,
    #[serde(default)]
    team_blocked: bool,
}

impl KeyCheck {
    /// `None` for a vendor that takes no keys. `base` gives the URL of an operation under the vendor's base URL, whose own
    /// one and version path it is told.
    ///
    /// # Errors
    /// What `base` fails with.
    pub(crate) fn of(
        vendor: &Vendor,
        base: impl Fn(&str, &str) -> Result<crate::base_url::BaseUrl, SettingsError>,
    ) -> Result<Option<Self>, SettingsError> {
        let (base, operation, shows) = match (vendor.id.as_str(), vendor.base_url.as_deref()) {
            ("openai", _) => (base(OpenAi::BASE_URL, OpenAi::VERSION)?, "models", Shows::Bearer),
            ("anthropic", _) => (base(Anthropic::BASE_URL, Anthropic::VERSION)?, "models", Shows::Anthropic),
            ("gemini", _) => (base(Gemini::BASE_URL, Gemini::VERSION)?, "models", Shows::Google),
            ("grok", _) => (base(Grok::BASE_URL, Grok::VERSION)?, "api-key", Shows::Bearer),
            ("meta", _) => (base(Meta::BASE_URL, Meta::VERSION)?, "models", Shows::Bearer),
            ("vercel", _) => {
                (base(ChatCompletions::V0_BASE_URL, ChatCompletions::VERSION)?, "user", Shows::Bearer)
            }
            (ProviderId::SIMULATED, _) | (_, None) => return Ok(None),
            (_, Some(address)) => (base(address, ChatCompletions::VERSION)?, "models", Shows::Bearer),
        };
        Ok(Some(Self { provider: vendor.id.clone(), url: base.operation(operation), shows }))
    }

    /// # Errors
    /// `Auth` when the vendor refuses the key; else it cannot be told. No error holds the key.
    pub(crate) async fn check(&self, http: &Http, key: &ApiKey) -> Result<(), ProviderError> {
        match self.ask(http, key).await {
            Ok(()) => Ok(()),
            // Whom a vendor counts, it knows.
            Err(error) if matches!(error.class(), ErrorClass::RateLimited | ErrorClass::Quota) => Ok(()),
            Err(error) => Err(error.without(Some(key))),
        }
    }

    async fn ask(&self, http: &Http, key: &ApiKey) -> Result<(), ProviderError> {
        let refused = |error: KeyError| ProviderError::new(ErrorClass::Auth, &error.to_string());
        let headers = self.shows.headers(key).map_err(refused)?;
        let response = http.send(Method::GET, self.url.clone(), headers, Vec::new()).await?;
        let body = answered(http, response).await?;
        if self.provider.as_str() == "grok"
            && let Ok(GrokKey { api_key_blocked, api_key_disabled, team_blocked }) =
                serde_json::from_slice(&body)
            && (api_key_blocked || api_key_disabled || team_blocked)
        {
            return Err(ProviderError::new(ErrorClass::Auth, "the key, or its team, is blocked or disabled"));
        }
        Ok(())
    }
}

impl Shows {
    fn headers(self, key: &ApiKey) -> Result<HeaderMap, KeyError> {
        let header = HeaderName::from_static;
        Ok(match self {
            Self::Bearer => HeaderMap::from_iter([(AUTHORIZATION, key.bearer()?)]),
            Self::Google => HeaderMap::from_iter([(header("x-goog-api-key"), key.bare()?)]),
            Self::Anthropic => HeaderMap::from_iter([
                (header("x-api-key"), key.bare()?),
                (header("anthropic-version"), HeaderValue::from_static("2023-06-01")),
            ]),
        })
    }
}
