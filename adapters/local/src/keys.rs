//! The operator's provider keys, as the configuration read them from the environment. Users have no keys of their own
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_commands::ports::{KeyVault, PortError};
use slipstream_domain::{KeySource, ProviderId, UserId};

/// Keys of this server alone.
#[derive(Debug, Default)]
pub struct EnvironmentKeys(RwLock<Keys>);

#[derive(Debug, Default)]
struct Keys {
    keys: BTreeMap<ProviderId, SecretString>,
    keyless: BTreeSet<ProviderId>,
}

impl EnvironmentKeys {
    /// `keys`: one per provider that has one. `keyless`: providers that are reached through a base URL which brings its
    /// own key (a proxy), so that a request to them is the server's and carries none.
    #[must_use]
    pub fn new(keys: BTreeMap<ProviderId, SecretString>, keyless: BTreeSet<ProviderId>) -> Self {
        Self(RwLock::new(Keys { keys, keyless }))
    }

    /// These from now on. What was asked for with a key before keeps it.
    pub fn replace(&self, keys: BTreeMap<ProviderId, SecretString>, keyless: BTreeSet<ProviderId>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Keys { keys, keyless };
    }

    fn current(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeyVault for EnvironmentKeys {
    async fn source(&self, _user: UserId, provider: &ProviderId) -> Result<KeySource, PortError> {
        let current = self.current();
        let reached = current.keys.contains_key(provider) || current.keyless.contains(provider);
        Ok(if reached { KeySource::Server } else { KeySource::None })
    }

    async fn key(
        &self,
        _user: UserId,
        provider: &ProviderId,
        source: KeySource,
    ) -> Result<Option<SecretString>, PortError> {
        let gone = |reason: String| Err(PortError { port: "key vault", reason });
        match source {
            KeySource::None => Ok(None),
            KeySource::Server => match self.current() {
                current if current.keys.contains_key(provider) => Ok(current.keys.get(provider).cloned()),
                current if current.keyless.contains(provider) => Ok(None),
                _ => gone(format!("the server has no key for {provider} any more")),
            },
            KeySource::Own { key_id } => gone(format!("users' keys are not kept here, so not key {key_id}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use slipstream_domain::KeyId;
    use uuid::Uuid;

    use super::*;

    fn provider(id: &str) -> ProviderId {
        ProviderId::parse(id).unwrap()
    }

    fn ann() -> UserId {
        UserId::from_uuid(Uuid::nil())
    }

    fn keys() -> EnvironmentKeys {
        EnvironmentKeys::new([(provider("openai"), "sk-1".into())].into(), [provider("grok")].into())
    }

    #[tokio::test]
    async fn a_provider_with_a_key_is_the_servers_and_the_key_is_that_one() {
        assert_eq!(keys().source(ann(), &provider("openai")).await.unwrap(), KeySource::Server);
        let key = keys().key(ann(), &provider("openai"), KeySource::Server).await.unwrap().unwrap();
        assert_eq!(key.expose_secret(), "sk-1");
    }

    #[tokio::test]
    async fn a_key_that_is_replaced_is_used_from_then_on() {
        let keys = keys();
        keys.replace([(provider("openai"), "sk-2".into())].into(), BTreeSet::new());
        let key = keys.key(ann(), &provider("openai"), KeySource::Server).await.unwrap().unwrap();
        assert_eq!(key.expose_secret(), "sk-2");
        assert_eq!(keys.source(ann(), &provider("grok")).await.unwrap(), KeySource::None);
    }

    #[tokio::test]
    async fn a_provider_behind_a_proxy_is_the_servers_and_has_no_key() {
        assert_eq!(keys().source(ann(), &provider("grok")).await.unwrap(), KeySource::Server);
        assert!(keys().key(ann(), &provider("grok"), KeySource::Server).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn nobody_pays_for_a_provider_that_is_not_set_up() {
        for id in ["simulated", "anthropic", "my-ollama"] {
            assert_eq!(keys().source(ann(), &provider(id)).await.unwrap(), KeySource::None, "{id}");
        }
        assert!(keys().key(ann(), &provider("anthropic"), KeySource::None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_that_is_gone_is_an_error_and_no_other_key_takes_its_place() {
        let own = KeySource::Own { key_id: KeyId::from_uuid(Uuid::nil()) };
        for (id, source) in [("openai", own), ("anthropic", KeySource::Server)] {
            let error = keys().key(ann(), &provider(id), source).await.unwrap_err();
            assert!(!error.to_string().contains("sk-1"), "{error}");
        }
    }
}
