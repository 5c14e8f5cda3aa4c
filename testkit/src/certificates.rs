//! Certificates that a test makes for its own servers and clients.
#![allow(clippy::unwrap_used)] // a test that cannot have them has failed

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority of its own: nobody else trusts it.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificates as files, by their paths; they are there as long as this is.
#[allow(missing_docs, reason = "the names say it")]
pub struct CertificateFiles {
    pub authority: String,
    pub certificate: String,
    pub key: String,
    _folder: TempDir,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        // Another name than that of what it signs, which would look self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` and its key, PEM.
    ///
    /// # Panics
    /// When `name` cannot be in a certificate.
    #[must_use]
    pub fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// What a server at `localhost` shows, and whom it trusts.
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn server_files(&self) -> CertificateFiles {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (certificate, key) = self.sign("localhost");
        CertificateFiles {
            authority: file("ca", &self.pem()),
            certificate: file("certificate", &certificate),
            key: file("key", &key),
            _folder: folder,
        }
    }
}
