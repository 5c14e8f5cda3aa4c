//! Which Redis, and how long to wait for it.

use std::time::Duration;

use redis::{Client, ClientTlsConfig, IntoConnectionInfo, ProtocolVersion, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};

use crate::connection::tcp;

/// What a connection to Redis needs.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://` or, for TLS, `rediss://[user:password@]host[:port][/database]`.
    pub url: SecretString,
    /// Certificates beyond the machine's own roots; for `rediss://` only.
    pub tls: Option<Tls>,
    /// How long one call may take, waiting for its turn included.
    pub timeout: Duration,
}

/// Certificates as PEM text, not files: they come from a secret store as well as from a disk.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authority that signed the server's certificate, in place of the machine's roots.
    pub authority: Option<String>,
    /// What the server knows us by.
    pub client: Option<ClientCertificate>,
}

/// A certificate and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The certificate, followed by those that lead to its authority.
    pub certificate: String,
    /// Its key.
    pub key: SecretString,
}

/// Settings that no connection can be made with. The text shows nothing of the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The URL, or a certificate, cannot be read.
    #[error("the settings of Redis cannot be used: {0}")]
    Unusable(String),
    /// Certificates were given and would not be used.
    #[error("certificates were given, but the URL of Redis does not begin with rediss://")]
    CertificatesWithoutTls,
}

impl RedisSettings {
    /// A server by its URL, with half a second for each call: a reader has the log instead, and should not wait longer.
    #[must_use]
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self { url: url.into(), tls: None, timeout: Duration::from_millis(500) }
    }

    pub(crate) fn client(&self) -> Result<Client, SettingsError> {
        let url = self.url.expose_secret();
        let info = url.into_connection_info().map_err(|error| unusable(&error))?;
        // RESP3: the connection hears of its own end, so that mending it does not wait for the next call.
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(redis).set_tcp_settings(tcp());
        let Some(tls) = &self.tls else { return Client::open(info).map_err(|error| unusable(&error)) };
        if !url.starts_with("rediss://") {
            return Err(SettingsError::CertificatesWithoutTls);
        }
        let certificates = TlsCertificates {
            root_cert: tls.authority.clone().map(String::into_bytes),
            client_tls: tls.client.as_ref().map(|client| ClientTlsConfig {
                client_cert: client.certificate.clone().into_bytes(),
                client_key: client.key.expose_secret().to_owned().into_bytes(),
            }),
        };
        Client::build_with_tls(info, certificates).map_err(|error| unusable(&error))
    }
}

fn unusable(error: &redis::RedisError) -> SettingsError {
    SettingsError::Unusable(error.category().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_a_debug_print_show_no_password() {
        let settings = RedisSettings::new("redis://:hunter2@host:nonsense/0");
        let error = settings.client().unwrap_err();
        assert!(!format!("{error} {error:?} {settings:?}").contains("hunter2"));
    }

    #[test]
    fn certificates_for_a_plain_connection_are_refused() {
        let settings =
            RedisSettings { tls: Some(Tls::default()), ..RedisSettings::new("redis://localhost:6379") };
        assert!(matches!(settings.client(), Err(SettingsError::CertificatesWithoutTls)));
    }
}
