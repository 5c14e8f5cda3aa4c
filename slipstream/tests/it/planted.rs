//! Nothing that is secret is told: a run with planted secrets, everything logged that can be, and everything it says read.

use serde_json::{Value, json};
use slipstream_testkit::TestDatabase;
use slipstream_testkit::replay::{ReplayOptions, ReplayServer};

use crate::client::Client;
use crate::process::{Dev, slipstream};

const SERVICE: &str = "planted-service-token-of-the-operator";
const JWT: &str = "planted-jwt-secret-with-thirty-two-bytes";
const PEPPER: &str = "planted-pepper";
const OPERATORS: &str = "sk-planted-operators-key";
const OWN: &str = "sk-planted-own-key";
const REFUSED: &str = "sk-planted refused key";
const PROMPT: &str = "planted-prompt";
const EMAIL: &str = "planted@example.com";
const MASTER: &str = "c0ffee00";

#[tokio::test]
async fn a_run_with_planted_secrets_tells_none_of_them_at_any_level() {
    let database = TestDatabase::create().await;
    let vendor = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    vendor.script(["401_invalid_key", "text"]);
    let logs = tempfile::NamedTempFile::new().unwrap();
    let master = MASTER.repeat(8);
    let mut command = slipstream(&["dev", "--listen", "127.0.0.1:0", "--log", "trace"]);
    command.env("DATABASE_URL", database.url()).env("EMAIL_PEPPER", PEPPER).env("ENCRYPTION_KEY", &master);
    command.env("SLIPSTREAM_AUTH__SERVICE_TOKEN", SERVICE).env("JWT_SECRET", JWT);
    command.env("OPENAI_API_KEY", OPERATORS).env("OPENAI_BASE_URL", vendor.base_url());
    command.stderr(std::fs::File::create(logs.path()).unwrap());
    let service = Dev::spawn_logging(command).await;
    let request = async |method: &str, path: &str, bearer: &str, body: Value| {
        let bearer = format!("Bearer {bearer}");
        service.request(method, path, &[("authorization", &bearer)], &body).await.1
    };
    // These two tell a secret, this once, to whom it is for.
    let opened = request("POST", "/v1/sessions", SERVICE, json!({"email": EMAIL})).await;
    let token = opened["token"].as_str().unwrap().to_owned();
    let issued = request("POST", "/v1/tickets", &token, Value::Null).await;
    let ticket = issued["ticket"].as_str().unwrap().to_owned();

    let with_ticket = format!("/v1/me?ticket={ticket}");
    let mut said = Vec::new();
    for (method, path, bearer, body) in [
        ("PUT", "/v1/keys/openai", token.as_str(), json!({"apiKey": REFUSED})),
        ("PUT", "/v1/keys/openai", &token, json!({"apiKey": OWN})),
        ("PUT", "/v1/keys/openai", &token, json!({"apiKey": OWN, "unknown": 1})),
        ("GET", "/v1/keys", &token, Value::Null),
        ("GET", "/v1/me", "a.b.c", Value::Null),
        ("PATCH", "/v1/me", &token, json!({"settings": {"theme": "pink"}})),
        ("GET", &with_ticket, "guessed", Value::Null),
        ("GET", "/metrics", &token, Value::Null),
        ("GET", "/readyz", &token, Value::Null),
    ] {
        said.push(request(method, path, bearer, body).await.to_string());
    }
    let mut client = Client::connect(service.address, EMAIL).await;
    for _ in 0..2 {
        client.ask("new-chat", PROMPT).await;
        said.push(client.answer(usize::MAX).await.end["message"].to_string());
    }
    assert!(service.interrupt().await.success());

    let logged = std::fs::read_to_string(logs.path()).unwrap();
    assert!(
        logged.contains("DEBUG") && logged.len() > 10_000,
        "it has logged all it can: {} bytes",
        logged.len()
    );
    for secret in [SERVICE, JWT, PEPPER, OPERATORS, OWN, REFUSED, PROMPT, &master, &token, &ticket] {
        assert!(!logged.contains(secret), "{secret} was logged: {}", around(&logged, secret));
        for answer in &said {
            assert!(!answer.contains(secret), "{secret} was told: {answer}");
        }
    }
    assert!(!logged.contains(EMAIL), "{EMAIL} was logged: {}", around(&logged, EMAIL));
}

fn around(text: &str, what: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| line.contains(what)).take(3).collect();
    lines.join("\n")
}
