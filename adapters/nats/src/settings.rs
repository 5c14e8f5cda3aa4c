//! Which NATS, and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};

/// What a connection to NATS needs.
#[derive(Debug, Clone)]
pub struct NatsSettings {
    /// `nats://` or `tls://host[:port]`, each a server of one cluster; any of them will do.
    pub servers: Vec<String>,
    /// The word all our subjects and streams begin with: letters, digits, `_`, `-`. Installations that share a server
    /// differ in it.
    pub prefix: String,
    /// Who we are; nobody when absent.
    pub credentials: Option<Credentials>,
    /// Certificates other than the machine's roots. Given them, only TLS is spoken.
    pub tls: Option<Tls>,
    /// On how many servers a job is kept, 1 to 5; no more than the cluster has.
    pub replicas: usize,
    /// How long a delivery stays a worker's without a sign of life.
    pub ack_wait: Duration,
    /// How long the id of a published job is remembered.
    pub duplicate_window: Duration,
    /// Jobs in all workers' hands at once, at most: more than all their places together, or places stay empty.
    pub in_hand: u32,
}

/// What the server knows us by.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A token.
    Token(SecretString),
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// The seed of an `NKey`.
    NKey(SecretString),
    /// The text of a `.creds` file.
    Creds(SecretString),
}

/// Certificates as PEM text, not files: they come from a secret store as well as from a disk.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The authority that signed the server's certificate.
    pub authority: String,
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

/// Settings that no connection can be made with. The text shows no secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The prefix is not a word.
    #[error("the prefix of NATS subjects must be letters, digits, _ and - only")]
    Prefix,
    /// The credentials cannot be read.
    #[error("the credentials for NATS cannot be read")]
    Credentials,
    /// A certificate or its key cannot be read or used.
    #[error("the certificates for NATS cannot be used: {0}")]
    Certificates(String),
}

impl NatsSettings {
    /// One server, and the times of the port's promise (`04-streaming-and-resume`, "Owner and lease").
    #[must_use]
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            prefix: "slipstream".to_owned(),
            credentials: None,
            tls: None,
            replicas: 1,
            ack_wait: Duration::from_secs(30),
            duplicate_window: Duration::from_mins(2),
            in_hand: 10_000,
        }
    }

    pub(crate) fn options(&self) -> Result<ConnectOptions, SettingsError> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.prefix.is_empty() || !self.prefix.chars().all(word) {
            return Err(SettingsError::Prefix);
        }
        let options = match &self.credentials {
            None => ConnectOptions::new(),
            Some(Credentials::Token(token)) => ConnectOptions::with_token(token.expose_secret().to_owned()),
            Some(Credentials::Password { user, password }) => {
                ConnectOptions::with_user_and_password(user.clone(), password.expose_secret().to_owned())
            }
            Some(Credentials::NKey(seed)) => ConnectOptions::with_nkey(seed.expose_secret().to_owned()),
            Some(Credentials::Creds(text)) => ConnectOptions::with_credentials(text.expose_secret())
                .map_err(|_| SettingsError::Credentials)?,
        };
        Ok(match &self.tls {
            None => options,
            Some(tls) => options.require_tls(true).tls_client_config(tls.config()?),
        })
    }
}

impl Tls {
    fn config(&self) -> Result<ClientConfig, SettingsError> {
        let unusable = |error: &dyn std::fmt::Display| SettingsError::Certificates(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.as_bytes()) {
            roots.add(certificate.map_err(|e| unusable(&e))?).map_err(|e| unusable(&e))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| unusable(&e))?
            .with_root_certificates(roots);
        let Some(client) = &self.client else { return Ok(config.with_no_client_auth()) };
        let chain = CertificateDer::pem_slice_iter(client.certificate.as_bytes()).collect::<Result<_, _>>();
        // Of a key that cannot be read nothing is said, lest a part of it is.
        let key = PrivateKeyDer::from_pem_slice(client.key.expose_secret().as_bytes())
            .map_err(|_| unusable(&"the key is no PEM private key"))?;
        config.with_client_auth_cert(chain.map_err(|e| unusable(&e))?, key).map_err(|e| unusable(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_word() {
        for prefix in ["", "a.b", "a b", "a*", ">"] {
            let settings = NatsSettings { prefix: prefix.to_owned(), ..NatsSettings::new("nats://x") };
            assert!(matches!(settings.options(), Err(SettingsError::Prefix)), "{prefix}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_shown() {
        let key = SecretString::from("-----BEGIN hunter2");
        let client = ClientCertificate { certificate: String::new(), key };
        let tls = Tls { authority: String::new(), client: Some(client) };
        let settings = NatsSettings { tls: Some(tls), ..NatsSettings::new("nats://x") };
        let error = settings.options().unwrap_err();
        assert!(!format!("{error} {error:?} {settings:?}").contains("hunter2"));
    }
}
