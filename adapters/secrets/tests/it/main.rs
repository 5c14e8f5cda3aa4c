//! On moto.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::Builder;
use secrecy::ExposeSecret;
use slipstream_secrets::{AwsSecret, SecretError};
use slipstream_testkit::servers;
use uuid::Uuid;

/// How the SDK finds its own way, by the environment, is seen where a process has one: `slipstream/tests/it/secrets.rs`.
fn raw() -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Builder::new().build_http())
        .credentials_provider(Credentials::new("tests", "not a secret", None, None, "tests"))
        .region(Region::new("us-east-1"))
        .endpoint_url(servers::s3_url());
    Client::from_conf(config.build())
}

async fn put(text: &str) -> AwsSecret {
    let name = format!("slipstream-{}", Uuid::new_v4());
    raw().create_secret().name(&name).secret_string(text).send().await.unwrap();
    AwsSecret::through(raw(), name)
}

#[tokio::test]
async fn a_secret_is_read_in_the_version_that_holds_now() {
    let secret = put(r#"{"A": "one"}"#).await;
    assert_eq!(secret.fields().await.unwrap()["A"].expose_secret(), "one");
    raw().put_secret_value().secret_id(secret.id()).secret_string(r#"{"A": "two"}"#).send().await.unwrap();
    assert_eq!(secret.fields().await.unwrap()["A"].expose_secret(), "two");
}

#[tokio::test]
async fn a_secret_that_is_not_there_or_no_object_is_named_and_not_quoted() {
    let missing = AwsSecret::through(raw(), "slipstream-missing").fields().await.unwrap_err();
    assert!(
        matches!(&missing, SecretError::Unavailable { id, .. } if id == "slipstream-missing"),
        "{missing}"
    );
    let text = put("planted text").await.fields().await.unwrap_err();
    assert!(matches!(text, SecretError::NotAnObject(_)) && !text.to_string().contains("planted"), "{text}");
}
