//! A NATS that asks for certificates and for a password.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use slipstream_nats::{ClientCertificate, Credentials, Nats, NatsSettings, Tls};
use slipstream_testkit::TestServer;
use tokio_util::task::TaskTracker;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    // Another name than that of what it signs, which would look self-signed.
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn signed(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn certificates_and_passwords_are_shown_and_asked_for() {
    let authority = authority();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = signed(&authority, "localhost");
    let (ca, certificate, key) =
        (file("ca", &authority.pem()), file("certificate", &certificate), file("key", &key));
    let server = TestServer::nats_with(&[
        "--tlsverify",
        "--tlscacert",
        &ca,
        "--tlscert",
        &certificate,
        "--tlskey",
        &key,
        "--user",
        "slip",
        "--pass",
        "secret",
    ]);
    let url = server.address().replace("127.0.0.1", "tls://localhost");
    let connect = async |authority: &Authority, client, password: &str| {
        let tls = Some(Tls { authority: authority.pem(), client });
        let credentials =
            Some(Credentials::Password { user: "slip".to_owned(), password: password.to_owned().into() });
        let settings = NatsSettings { tls, credentials, ..NatsSettings::new(&url) };
        Nats::connect(settings, &TaskTracker::new()).await.map(|nats| nats.is_connected())
    };
    let client = || {
        let (certificate, key) = signed(&authority, "slipstream");
        Some(ClientCertificate { certificate, key: key.into() })
    };
    assert!(connect(&authority, client(), "secret").await.unwrap());
    assert!(connect(&authority, None, "secret").await.is_err(), "NATS lets in whom it does not know");
    assert!(connect(&authority, client(), "wrong").await.is_err(), "NATS lets in whom it does not know");
    assert!(connect(&self::authority(), client(), "secret").await.is_err(), "we trust whom we do not know");
}
