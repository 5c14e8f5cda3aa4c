//! The keys that an issuer publishes under a URL (RFC 7517), kept, and asked for again when they are old or one is missing.
//!
//! However many tokens name a key that is not there, the issuer is asked once in ten seconds at the most; when it does not
//! answer, what is known is good for a day.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{Client, redirect};
use serde::Deserialize;
use slipstream_commands::ports::{Clock, TokenError};
use slipstream_domain::Timestamp;
use tokio::sync::Mutex;
use url::Url;

/// Keys of this age are asked for again; a key that was taken back is good for so long.
const FRESH: Duration = Duration::from_hours(1);
/// Keys of this age are not used any more, also when there are no others.
const STALE: Duration = Duration::from_hours(24);
/// Between two questions.
const PAUSE: Duration = Duration::from_secs(10);
/// For a whole answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer. Issuers publish a handful of keys of half a KB.
const MOST_BYTES: usize = 256 * 1024;

const UNKNOWN_KEY: &str = "the token is signed with a key that its issuer does not publish";

/// The keys of one issuer.
pub(crate) struct PublishedKeys {
    url: Url,
    http: Client,
    clock: Arc<dyn Clock>,
    known: RwLock<Arc<Known>>,
    /// Held by who asks: the others wait for the same answer.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Vec<PublishedKey>,
    since: Option<Timestamp>,
    asked: Option<Timestamp>,
}

#[derive(Clone)]
struct PublishedKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the issuer's keys cannot be had")]
    Http(#[from] reqwest::Error),
    #[error("the issuer answers for its keys with {0}")]
    Status(reqwest::StatusCode),
    #[error("the issuer's keys are more than {MOST_BYTES} bytes")]
    TooLarge,
    #[error("the issuer's keys are no JWKS")]
    NotJwks(#[from] serde_json::Error),
}

/// No answer has come, now or before.
#[derive(Debug, thiserror::Error)]
#[error("the keys that tokens are signed with cannot be had from their issuer")]
struct NoKeys;

impl PublishedKeys {
    pub(crate) fn new(url: Url, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        // An error says that the process has chosen its cryptography already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .user_agent(concat!("slipstream/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { url, http, clock, known: RwLock::default(), asking: Mutex::default() })
    }

    /// The key of this id, or the only one when none is named, for this algorithm. Cancel-safe.
    pub(crate) async fn key(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, TokenError> {
        let known = self.known();
        let found = known.find(id, algorithm);
        if let Some(key) = found.clone()
            && known.is_younger(FRESH, self.clock.now())
        {
            return Ok(key);
        }
        let known = match (&found, self.asking.try_lock()) {
            (_, Ok(_asking)) => self.ask().await,
            // Somebody asks; meanwhile the old one will do.
            (Some(_), Err(_)) => known,
            (None, Err(_)) => {
                let _asking = self.asking.lock().await;
                self.ask().await
            }
        };
        if !known.is_younger(STALE, self.clock.now()) {
            return Err(TokenError::Unavailable(Box::new(NoKeys)));
        }
        known.find(id, algorithm).ok_or(TokenError::Refused(UNKNOWN_KEY))
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known once the issuer has been asked, unless it was a moment ago. To be called by one at a time.
    async fn ask(&self) -> Arc<Known> {
        let (known, now) = (self.known(), self.clock.now());
        if known.asked.is_some_and(|asked| now.since(asked) < PAUSE) {
            return known;
        }
        // Before: whoever gives up waiting has asked all the same.
        self.know(Known { keys: known.keys.clone(), since: known.since, asked: Some(now) });
        match self.fetch().await {
            Ok(keys) => self.know(Known { keys, since: Some(now), asked: Some(now) }),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an issuer's keys are not there");
            }
        }
        self.known()
    }

    fn know(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    async fn fetch(&self) -> Result<Vec<PublishedKey>, FetchError> {
        let mut response = self.http.get(self.url.clone()).send().await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await? {
            if body.len() + bytes.len() > MOST_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&bytes);
        }
        let set: KeySet = serde_json::from_slice(&body)?;
        Ok(set.keys.into_iter().filter_map(PublishedKey::read).collect())
    }
}

impl Known {
    fn is_younger(&self, age: Duration, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now.since(since) < age)
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let fits = |key: &&PublishedKey| {
            key.algorithm == algorithm && id.is_none_or(|id| key.id.as_deref() == Some(id))
        };
        let mut fitting = self.keys.iter().filter(fits);
        let first = fitting.next()?;
        // Two that fit are told apart by a name only.
        (id.is_some() || fitting.next().is_none()).then(|| first.key.clone())
    }
}

/// One by one, so that a key of a kind that is not known yet spoils no other.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

impl PublishedKey {
    /// `None` for what is no key to sign with by an algorithm that is taken; a symmetric key is published by mistake, and
    /// known to everybody.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the enum is of another crate, and grows")]
    fn read(value: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let (algorithm, name) = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            _ => return None,
        };
        let for_another = jwk.common.key_algorithm.is_some_and(|said| said != name);
        let for_signing =
            jwk.common.public_key_use.as_ref().is_none_or(|what| *what == PublicKeyUse::Signature);
        if for_another || !for_signing {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id, algorithm })
    }
}
