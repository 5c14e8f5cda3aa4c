//! A NATS that asks for certificates and for a password.

use slipstream_nats::{ClientCertificate, Credentials, Nats, NatsSettings, Tls};
use slipstream_testkit::{Authority, TestServer};
use tokio_util::task::TaskTracker;

#[tokio::test]
async fn certificates_and_passwords_are_shown_and_asked_for() {
    let authority = Authority::new();
    let files = authority.server_files();
    let server = TestServer::nats_with(&[
        "--tlsverify",
        "--tlscacert",
        &files.authority,
        "--tlscert",
        &files.certificate,
        "--tlskey",
        &files.key,
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
        let (certificate, key) = authority.sign("slipstream");
        Some(ClientCertificate { certificate, key: key.into() })
    };
    assert!(connect(&authority, client(), "secret").await.unwrap());
    assert!(connect(&authority, None, "secret").await.is_err(), "NATS lets in whom it does not know");
    assert!(connect(&authority, client(), "wrong").await.is_err(), "NATS lets in whom it does not know");
    assert!(connect(&Authority::new(), client(), "secret").await.is_err(), "we trust whom we do not know");
}
