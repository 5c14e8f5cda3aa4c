//! Settings out of AWS Secrets Manager (moto), and that they are read again.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use slipstream_testkit::replay::{ReplayOptions, ReplayServer};
use slipstream_testkit::{TestDatabase, servers};
use tokio::process::Command;
use uuid::Uuid;

use crate::client::Client;
use crate::process::{Dev, exchange, slipstream};

/// Asks moto.
async fn moto(action: &str, body: &Value) {
    let target = format!("secretsmanager.{action}");
    let scope = "Credential=tests/20260101/us-east-1/secretsmanager/aws4_request";
    let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
        ("authorization", signed.as_str()),
    ];
    let address = servers::s3_url().strip_prefix("http://").unwrap().parse().unwrap();
    let (status, said) = exchange(address, "POST", "/", &headers, body).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&said));
}

fn dev(secret: &str) -> Command {
    let mut command = slipstream(&["dev", "--listen", "127.0.0.1:0"]);
    command.env("AWS_CREDENTIAL_SECRET_ID", secret);
    command.env("AWS_ENDPOINT_URL", servers::s3_url()).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "tests").env("AWS_SECRET_ACCESS_KEY", "not a secret");
    command
}

fn settings(database: &TestDatabase, vendor: &ReplayServer, key: &str) -> Value {
    json!({
        "DATABASE_URL": database.url(), "EMAIL_PEPPER": "pepper", "ENCRYPTION_KEY": "a1".repeat(32),
        "OPENAI_API_KEY": key, "OPENAI_BASE_URL": vendor.base_url(), "SOMEBODY_ELSES": "x",
    })
}

#[tokio::test]
async fn one_secret_is_enough_to_start_and_a_changed_key_is_used_at_once() {
    let (database, vendor) =
        (TestDatabase::create().await, ReplayServer::start(ReplayOptions::shipped()).await.unwrap());
    let name = format!("slipstream-{}", Uuid::new_v4());
    let first = settings(&database, &vendor, "sk-first").to_string();
    moto("CreateSecret", &json!({"Name": name, "SecretString": first, "ClientRequestToken": Uuid::new_v4()}))
        .await;
    let service = Dev::spawn(dev(&name)).await;
    let mut ann = Client::connect(service.address, "ann@example.com").await;
    let mut asks_with = async |key: &str| {
        let before = vendor.requests().len();
        ann.ask("new-chat", "hello").await;
        assert_eq!(ann.answer(usize::MAX).await.end["type"], "ai_chat_response");
        let bearer = format!("Bearer {key}");
        vendor.requests()[before..].iter().any(|request| request.header("authorization") == Some(&bearer))
    };
    assert!(asks_with("sk-first").await);

    let second = settings(&database, &vendor, "sk-second").to_string();
    moto(
        "PutSecretValue",
        &json!({"SecretId": name, "SecretString": second, "ClientRequestToken": Uuid::new_v4()}),
    )
    .await;
    kill(Pid::from_raw(service.pid()), Signal::SIGHUP).unwrap();
    let mut tries = 0;
    while !asks_with("sk-second").await {
        tries += 1;
        assert!(tries < 50, "the new key is never used");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn a_secret_that_is_not_there_keeps_the_service_from_starting_and_is_named() {
    let output = dev("slipstream-missing").output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the secret slipstream-missing cannot be read"), "{said}");
}
