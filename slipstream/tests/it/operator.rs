//! What an operator asks: are the read models well, is the log whole, is everything as it should be?

use serde_json::Value;
use slipstream_testkit::TestDatabase;
use tokio::process::Command;
use uuid::Uuid;

use crate::client::Client;
use crate::process::{DataFolder, Dev, run_on, slipstream};

/// A command on a server of the operator's.
pub(crate) fn on(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = slipstream(arguments);
    command
        .env("DATABASE_URL", database.url())
        .env("EMAIL_PEPPER", "pepper")
        .env("ENCRYPTION_KEY", "a1".repeat(32));
    command
}

/// What it says on standard output, or else on standard error, and its exit code.
pub(crate) async fn run(mut command: Command) -> (i32, String) {
    let output = command.output().await.unwrap();
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// What `doctor --json` says of one check, and its exit code.
async fn doctor(command: Command, check: &str) -> (i32, String, String) {
    let (code, said) = run(command).await;
    let findings: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let finding = findings.iter().find(|finding| finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("nothing on {check}: {said}"));
    (code, finding["state"].as_str().unwrap().to_owned(), finding["found"].as_str().unwrap().to_owned())
}

pub(crate) async fn serve(database: &TestDatabase) -> Dev {
    let mut command =
        on(database, &["serve", "--roles", "worker,gateway,projector", "--listen", "127.0.0.1:0"]);
    command.env("SLIPSTREAM_AUTH__DEVELOPMENT_EMAIL", "true");
    Dev::spawn(command).await
}

async fn park(database: &TestDatabase, correlation: Uuid, first_position: i64) {
    sqlx::query(
        "INSERT INTO es.parked SELECT name, max(version), $1, $2, 'planted', now(), false
         FROM es.projector WHERE name = 'transcript' GROUP BY name",
    )
    .bind(correlation)
    .bind(first_position)
    .execute(database.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_parked_is_told_and_retried_by_the_service_that_runs() {
    let database = TestDatabase::create().await;
    let service = serve(&database).await;
    let mut client = Client::connect(service.address, "a@example.com").await;
    client.ask("new-chat", "[[chunks=1 bytes=5 delay_ms=0]]").await;
    client.answer(usize::MAX).await;
    let (code, text) = run(on(&database, &["projections", "status"])).await;
    assert!(
        code == 0
            && text.contains("transcript v")
            && text.contains(": active, at position")
            && text.contains("run by"),
        "{text}"
    );

    let nobody = Uuid::from_u128(7);
    park(&database, nobody, 1).await;
    let (_, status) = run(on(&database, &["projections", "status", "--json"])).await;
    let status: Value = serde_json::from_str(&status).unwrap();
    let all = status["projections"].as_array().unwrap();
    let transcript = all.iter().find(|projection| projection["name"] == "transcript").unwrap();
    assert_eq!(transcript["parked"][0]["error"], "planted");
    assert_eq!(transcript["parked"][0]["correlation"], nobody.to_string());

    let (code, state, found) = doctor(on(&database, &["doctor", "--json"]), "port").await;
    assert!(state == "ok" || found.contains("cannot listen"), "{code} {found}");
    let (_, said) = run(on(&database, &["doctor"])).await;
    assert!(said.contains("warn  read model: transcript has parked 1"), "{said}");

    let id = nobody.to_string();
    let (code, said) = run(on(&database, &["projections", "retry", "transcript", &id, "--wait"])).await;
    assert!(code == 0 && said.contains("nothing of it is parked any more"), "{code} {said}");
    let (code, said) = run(on(&database, &["projections", "retry", "transcript", &id])).await;
    assert!(code == 1 && said.contains("is not parked by transcript"), "{code} {said}");
    let (code, said) = run(on(&database, &["projections", "retry", "transcript"])).await;
    assert_eq!((code, said.as_str()), (0, "nothing is parked by transcript\n"));
    let (code, said) = run(on(&database, &["projections", "retry", "transcirpt"])).await;
    assert!(code == 1 && said.contains("did you mean transcript?"), "{code} {said}");
    assert!(service.interrupt().await.success());

    park(&database, nobody, 1).await;
    let (code, said) = run(on(&database, &["projections", "retry", "transcript"])).await;
    assert!(code == 0 && said.starts_with("1 to be tried again"), "{code} {said}");
}

#[tokio::test]
async fn a_damaged_log_is_told_by_verify_and_by_the_doctor() {
    let database = TestDatabase::create().await;
    let service = serve(&database).await;
    let mut client = Client::connect(service.address, "a@example.com").await;
    client.ask("new-chat", "[[chunks=1 bytes=5 delay_ms=0]]").await;
    let answer = client.answer(usize::MAX).await;
    assert!(service.interrupt().await.success());
    let (code, said) = run(on(&database, &["log", "verify", "--json"])).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["clean"], &report["faults"]), (0, &Value::Bool(true), &Value::from(0)));
    let (_, state, found) = doctor(on(&database, &["doctor", "--json"]), "log").await;
    assert_eq!(state, "ok", "{found}");

    let damage = "UPDATE es.event SET type = 'SomethingNew' WHERE type = 'ReplyRecorded'";
    sqlx::query(damage).execute(database.pool()).await.unwrap();
    let (code, said) = run(on(&database, &["log", "verify", "--json"])).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["clean"]), (1, &Value::Bool(false)));
    assert!(report["firstFaults"][0].as_str().unwrap().contains("has been altered"), "{report}");
    let (code, state, found) = doctor(on(&database, &["doctor", "--json"]), "log").await;
    assert_eq!((code, state.as_str()), (1, "fail"), "{found}");

    let (code, told) = run(on(&database, &["replay", &answer.conversation])).await;
    assert!(code == 0 && told.contains("SomethingNew in version 1 of conversation"), "{told}");
    assert!(told.contains("cannot be read: unknown event type SomethingNew"), "never skipped: {told}");
    let (code, told) = run(on(&database, &["replay", &answer.conversation, "--format", "ndjson"])).await;
    assert!(code == 0 && told.contains("\"unreadable\":\"unknown event type SomethingNew\""), "{told}");
}

#[tokio::test]
async fn a_service_that_runs_well_has_nothing_to_fear_from_the_doctor() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let listen = dev.address.to_string();
    let path = folder.path();
    let mut command = slipstream(&["doctor", "--json", "--data-dir", path.to_str().unwrap()]);
    command.env("SLIPSTREAM_SERVER__LISTEN", &listen);
    let (code, said) = run(command).await;
    let findings: Vec<Value> = serde_json::from_str(&said).unwrap();
    assert!(code == 0 && findings.iter().all(|finding| finding["state"] != "fail"), "{said}");
    let mut command = slipstream(&["doctor", "--json", "--data-dir", path.to_str().unwrap()]);
    command.env("SLIPSTREAM_SERVER__LISTEN", &listen);
    let (_, state, found) = doctor(command, "port").await;
    assert!(state == "ok" && found.contains("in use, and a service runs"), "{found}");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn the_doctor_finds_what_is_wrong_and_says_so() {
    let database = TestDatabase::create().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = on(&database, &["doctor", "--json"]);
    command.env("SLIPSTREAM_SERVER__LISTEN", taken.local_addr().unwrap().to_string());
    let (code, state, found) = doctor(command, "port").await;
    assert_eq!((code, state.as_str()), (1, "fail"), "{found}");

    let mut command = on(&database, &["doctor", "--json"]);
    command.env("OPENAI_BASE_URL", "not a url");
    let (code, state, found) = doctor(command, "providers").await;
    assert_eq!((code, state.as_str()), (1, "fail"), "{found}");

    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 4").execute(database.pool()).await.unwrap();
    let (code, state, found) = doctor(on(&database, &["doctor", "--json"]), "schema").await;
    assert_eq!((code, state.as_str(), found.as_str()), (1, "fail", "1 migrations are missing"));
    let (code, said) = run(on(&database, &["projections", "status"])).await;
    assert!(code == 1 && said.contains("run `slipstream migrate`"), "{code} {said}");

    let mut command = slipstream(&["doctor", "--json"]);
    command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let (code, state, found) = doctor(command, "postgresql").await;
    assert_eq!((code, state.as_str()), (1, "fail"), "{found}");

    let folder = DataFolder::new();
    let output = run_on(&folder, &["doctor"]).await;
    assert!(String::from_utf8(output.stdout).unwrap().contains("warn  postgresql: there is no data folder"));
    assert!(!folder.path().exists(), "the doctor made a data folder");
}
