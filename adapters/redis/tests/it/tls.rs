//! A Redis that asks for certificates.

use slipstream_redis::{ClientCertificate, RedisSettings, RedisStreamState, Tls};
use slipstream_testkit::{Authority, TestServer};

#[tokio::test]
async fn both_sides_show_certificates_and_without_ours_we_are_nobody() {
    let authority = Authority::new();
    let files = authority.server_files();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    let _server = TestServer::redis_with(&[
        "--tls-port",
        &port,
        "--tls-ca-cert-file",
        &files.authority,
        "--tls-cert-file",
        &files.certificate,
        "--tls-key-file",
        &files.key,
    ]);
    let client = || {
        let (certificate, key) = authority.sign("slipstream");
        ClientCertificate { certificate, key: key.into() }
    };
    let state = |authority: &Authority, client| {
        let tls = Some(Tls { authority: Some(authority.pem()), client });
        let settings = RedisSettings { tls, ..RedisSettings::new(format!("rediss://localhost:{port}")) };
        RedisStreamState::new(&settings).unwrap()
    };
    state(&authority, Some(client())).ping().await.unwrap();
    assert!(state(&authority, None).ping().await.is_err(), "Redis lets in whom it does not know");
    assert!(state(&Authority::new(), Some(client())).ping().await.is_err(), "we trust whom we do not know");
}
