//! What makes several processes one service: NATS and Redis, both or neither.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use slipstream_nats::{Credentials, NatsSettings};
use slipstream_redis::RedisSettings;

use super::error::ConfigError;
use super::settings::{count, duration, no_secret, seconds};

/// What several processes share.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// Jobs, the live bus, hints.
    pub(crate) nats: NatsSettings,
    /// The stream state.
    pub(crate) redis: RedisSettings,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Nats {
    servers: Vec<String>,
    prefix: String,
    replicas: NonZeroU32,
    ack_wait_seconds: NonZeroU32,
    in_hand: NonZeroU32,
    #[serde(serialize_with = "no_secret")]
    token: Option<SecretString>,
    user: Option<String>,
    #[serde(serialize_with = "no_secret")]
    password: Option<SecretString>,
    #[serde(serialize_with = "no_secret")]
    nkey: Option<SecretString>,
    #[serde(serialize_with = "no_secret")]
    creds: Option<SecretString>,
    tls_authority: Option<String>,
    tls_certificate: Option<String>,
    #[serde(serialize_with = "no_secret")]
    tls_key: Option<SecretString>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Redis {
    #[serde(serialize_with = "no_secret")]
    url: Option<SecretString>,
    host: Option<String>,
    timeout_ms: NonZeroU32,
    tls_authority: Option<String>,
    tls_certificate: Option<String>,
    #[serde(serialize_with = "no_secret")]
    tls_key: Option<SecretString>,
}

impl Default for Nats {
    fn default() -> Self {
        let NatsSettings { prefix, replicas, ack_wait, in_hand, .. } = NatsSettings::new("");
        Self {
            servers: Vec::new(),
            prefix,
            replicas: count(replicas),
            ack_wait_seconds: seconds(ack_wait),
            in_hand: count(in_hand),
            token: None,
            user: None,
            password: None,
            nkey: None,
            creds: None,
            tls_authority: None,
            tls_certificate: None,
            tls_key: None,
        }
    }
}

impl Default for Redis {
    fn default() -> Self {
        let timeout = RedisSettings::new("").timeout.as_millis();
        Self {
            url: None,
            host: None,
            timeout_ms: count(timeout),
            tls_authority: None,
            tls_certificate: None,
            tls_key: None,
        }
    }
}

impl Cluster {
    /// # Errors
    /// One of the two is set without the other; credentials or certificates that are half there or too many.
    pub(super) fn new(nats: Nats, redis: Redis) -> Result<Option<Self>, ConfigError> {
        match (nats.servers.is_empty(), redis.url()) {
            (true, None) => Ok(None),
            (false, Some(url)) => Ok(Some(Self { nats: nats.settings()?, redis: redis.settings(url)? })),
            (false, None) => Err(other(
                "nats.servers is set and redis.url is not: processes share the state of running streams, too (REDIS_URL)",
            )),
            (true, Some(_)) => Err(other(
                "redis.url is set and nats.servers is not: processes share a job queue and a bus, too (NATS_URL)",
            )),
        }
    }
}

impl Nats {
    fn settings(self) -> Result<NatsSettings, ConfigError> {
        let credentials = self.credentials()?;
        let client = both("nats", self.tls_certificate, self.tls_key)?;
        let client = client.map(|(certificate, key)| slipstream_nats::ClientCertificate { certificate, key });
        let tls = match (self.tls_authority, client) {
            (Some(authority), client) => {
                Some(slipstream_nats::Tls { authority: unflattened(&authority), client })
            }
            (None, None) => None,
            (None, Some(_)) => {
                return Err(other(
                    "nats.tls_certificate needs nats.tls_authority: whose certificate is the server's?",
                ));
            }
        };
        Ok(NatsSettings {
            servers: self.servers,
            prefix: self.prefix,
            credentials,
            tls,
            replicas: self.replicas.get() as usize,
            ack_wait: duration(self.ack_wait_seconds),
            in_hand: self.in_hand.get(),
            ..NatsSettings::new("")
        })
    }

    fn credentials(&self) -> Result<Option<Credentials>, ConfigError> {
        let password = match (&self.user, &self.password) {
            (Some(user), Some(password)) => {
                Some(Credentials::Password { user: user.clone(), password: password.clone() })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(other("nats.user and nats.password go together: one of them is missing"));
            }
        };
        let given = [
            self.token.clone().map(Credentials::Token),
            password,
            self.nkey.clone().map(Credentials::NKey),
            self.creds.clone().map(Credentials::Creds),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (one, None) => Ok(one),
            (_, Some(_)) => Err(other(
                "nats: one of token, user and password, nkey and creds is enough; there are several",
            )),
        }
    }
}

impl Redis {
    /// The one that is set, else that of the host: with TLS when there are certificates for it.
    fn url(&self) -> Option<SecretString> {
        let certificates = self.tls_authority.is_some() || self.tls_certificate.is_some();
        let scheme = if certificates { "rediss" } else { "redis" };
        let by_host = || self.host.as_ref().map(|host| format!("{scheme}://{host}").into());
        self.url.clone().or_else(by_host)
    }

    fn settings(self, url: SecretString) -> Result<RedisSettings, ConfigError> {
        let client = both("redis", self.tls_certificate, self.tls_key)?;
        let client =
            client.map(|(certificate, key)| slipstream_redis::ClientCertificate { certificate, key });
        let authority = self.tls_authority.as_deref().map(unflattened);
        let tls =
            (authority.is_some() || client.is_some()).then_some(slipstream_redis::Tls { authority, client });
        Ok(RedisSettings { url, tls, timeout: Duration::from_millis(self.timeout_ms.get().into()) })
    }
}

fn both(
    section: &str,
    certificate: Option<String>,
    key: Option<SecretString>,
) -> Result<Option<(String, SecretString)>, ConfigError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Ok(Some((unflattened(&certificate), unflattened(key.expose_secret()).into())))
        }
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(ConfigError::Other(format!(
            "{section}.tls_certificate and {section}.tls_key go together: one is missing"
        ))),
    }
}

/// Text of several lines, as a variable that cannot hold them has it: with `\n` for each end of a line.
fn unflattened(text: &str) -> String {
    text.replace("\\n", "\n")
}

fn other(text: &str) -> ConfigError {
    ConfigError::Other(text.to_owned())
}
