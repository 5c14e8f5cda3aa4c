//! A Redis that asks for certificates.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use slipstream_redis::{ClientCertificate, RedisSettings, RedisStreamState, Tls};
use slipstream_testkit::TestServer;

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
async fn both_sides_show_certificates_and_without_ours_we_are_nobody() {
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
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    let _server = TestServer::redis_with(&[
        "--tls-port",
        &port,
        "--tls-ca-cert-file",
        &ca,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ]);
    let client = || {
        let (certificate, key) = signed(&authority, "slipstream");
        ClientCertificate { certificate, key: key.into() }
    };
    let state = |authority: &Authority, client| {
        let tls = Some(Tls { authority: Some(authority.pem()), client });
        let settings = RedisSettings { tls, ..RedisSettings::new(format!("rediss://localhost:{port}")) };
        RedisStreamState::new(&settings).unwrap()
    };
    state(&authority, Some(client())).ping().await.unwrap();
    assert!(state(&authority, None).ping().await.is_err(), "Redis lets in whom it does not know");
    assert!(state(&self::authority(), Some(client())).ping().await.is_err(), "we trust whom we do not know");
}
