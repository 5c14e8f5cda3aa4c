//! People by hand: made known, signed in, erased beside a service that runs.

use serde_json::json;
use slipstream_testkit::TestDatabase;
use tokio::process::Command;

use crate::client::Client;
use crate::process::{Dev, slipstream};

fn on(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = slipstream(arguments);
    command.env("DATABASE_URL", database.url()).env("EMAIL_PEPPER", "pepper");
    command.env("ENCRYPTION_KEY", "a1".repeat(32));
    command
}

/// What it says, and its exit code.
async fn run(database: &TestDatabase, arguments: &[&str]) -> (i32, String) {
    let output = on(database, arguments).output().await.unwrap();
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    (output.status.code().unwrap(), String::from_utf8(said).unwrap().trim().to_owned())
}

#[tokio::test]
async fn a_person_is_added_once_and_signed_in_as_often_as_asked() {
    let database = TestDatabase::create().await;
    let (code, id) = run(&database, &["users", "add", "ann@example.com", "--name", "Ann"]).await;
    assert_eq!((code, id.len()), (0, 36), "{id}");
    assert_eq!(run(&database, &["users", "add", "Ann@Example.com"]).await, (0, id.clone()));
    let (code, one) = run(&database, &["users", "session", "ann@example.com"]).await;
    let (_, two) = run(&database, &["users", "session", &id, "--days", "1"]).await;
    assert!(code == 0 && one.len() == 64 && one != two, "{one} {two}");
    assert_eq!(run(&database, &["users", "session", "nobody@example.com"]).await.0, 1);
    assert_eq!(run(&database, &["users", "add", "nobody"]).await.0, 2);
    let (code, said) = run(&database, &["users", "add", "ann@example.com", "--role", "king"]).await;
    assert!(code == 2 && said.contains("auditor"), "{said}");
}

#[tokio::test]
async fn who_has_the_role_of_a_service_signs_people_in_and_others_do_not() {
    let database = TestDatabase::create().await;
    let service = Dev::spawn(on(&database, &["serve", "--listen", "127.0.0.1:0"])).await;
    let (_, id) = run(&database, &["users", "add", "front@example.com"]).await;
    let (_, token) = run(&database, &["users", "session", &id]).await;
    let shown = format!("Bearer {token}");
    let sign_in = async || {
        let ann = json!({"email": "ann@example.com"});
        service.request("POST", "/v1/sessions", &[("authorization", &shown)], &ann).await
    };
    let (status, refused) = sign_in().await;
    assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{refused}");
    assert_eq!(refused["detail"], "only who has the role service may do this");
    for (role, status) in [("service", 201), ("auditor", 403), ("admin", 201), ("user", 403)] {
        let added = run(&database, &["users", "add", "front@example.com", "--role", role]).await;
        assert_eq!(added, (0, id.clone()), "{role}");
        assert_eq!(sign_in().await.0, status, "{role}");
    }
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn who_is_erased_beside_a_running_service_is_gone_and_the_log_is_whole() {
    let database = TestDatabase::create().await;
    let service = Dev::spawn(on(&database, &["dev", "--listen", "127.0.0.1:0"])).await;
    let mut ann = Client::connect(service.address, "ann@example.com").await;
    ann.ask("new-chat", "hello").await;
    let conversation = ann.answer(usize::MAX).await.conversation;
    // This one runs for minutes, if nobody stops it.
    ann.ask("new-chat", "[[chunks=1000 bytes=5 delay_ms=500]]").await;
    while ann.frame().await.unwrap()["type"] != "ai_chat_chunk" {}

    assert_eq!(run(&database, &["users", "erase", "ann@example.com"]).await.0, 2, "without a yes");
    let (code, said) = run(&database, &["users", "erase", "ann@example.com", "--yes"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&database, &["log", "verify"]).await;
    assert_eq!(code, 0, "{said}");
    let (_, told) = run(&database, &["replay", &conversation]).await;
    assert!(told.contains("(erased)") && !told.contains("hello"), "{told}");
    // The address is free: this is somebody else.
    let mut stranger = Client::connect(service.address, "ann@example.com").await;
    stranger.send(json!({"type": "ping"})).await;
    assert_eq!(stranger.frame().await.unwrap()["type"], "pong");
    let path = format!("/v1/conversations/{conversation}/messages?email=ann@example.com");
    assert_eq!(service.get(&path).await.0, 404);
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn keys_are_rotated_while_the_service_runs() {
    let database = TestDatabase::create().await;
    let (old, new) = ("a1".repeat(32), "b2".repeat(32));
    let both = format!("{new},{old}");
    assert_eq!(run(&database, &["users", "add", "before@example.com"]).await.0, 0);
    let mut command = on(&database, &["dev", "--listen", "127.0.0.1:0"]);
    command.env("ENCRYPTION_KEY", &both);
    let service = Dev::spawn(command).await;
    let chats = async {
        for n in 0..5 {
            let mut client = Client::connect(service.address, &format!("user{n}@example.com")).await;
            client.ask("new-chat", "[[chunks=20 bytes=5 delay_ms=10]]").await;
            assert_eq!(client.answer(usize::MAX).await.end["type"], "ai_chat_response");
        }
    };
    let rotate = async {
        let mut command = on(&database, &["keys", "rotate"]);
        command.env("ENCRYPTION_KEY", &both).output().await.unwrap()
    };
    let ((), rotated) = tokio::join!(chats, rotate);
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    assert!(service.interrupt().await.success());

    let mut command = on(&database, &["users", "add", "after@example.com"]);
    let without_the_old = command.env("ENCRYPTION_KEY", &new).output().await.unwrap();
    assert!(without_the_old.status.success(), "{}", String::from_utf8_lossy(&without_the_old.stderr));
}

/// `sk-imported`, as Node.js encrypts it under the master key of these tests with sixteen sevens.
const IMPORTED: (&str, &str) = ("2a5df270e186737f28dfb6", "ea4e3c6bcf832ffc05f115a55a2c7ac4");

#[tokio::test]
async fn keys_of_the_original_are_imported_and_the_lines_that_cannot_be_are_named() {
    let database = TestDatabase::create().await;
    let (key, tag) = IMPORTED;
    let line = |email: &str, provider: &str, tag: &str| {
        json!({"email": email, "provider": provider, "encryptedKey": key, "iv": "07".repeat(16), "authTag": tag,
               "isDefault": true})
        .to_string()
    };
    let forged = "00".repeat(16);
    let lines = [
        line("ann@example.com", "openai", tag),
        String::new(),
        line("bob@example.com", "openai", &forged),
        "sk-imported".to_owned(),
        line("ann", "openai", tag),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.ndjson");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let (code, said) = run(&database, &["keys", "import", file.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{said}");
    for told in [
        "line 3: no master key opens it",
        "line 4: not a JSON object",
        "line 5: email",
        "1 keys are imported, 3 are not",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!said.contains("sk-imported"), "{said}");
    std::fs::write(&file, &lines[0]).unwrap();
    assert_eq!(run(&database, &["keys", "import", file.to_str().unwrap()]).await.0, 0, "again");

    let service = Dev::spawn(on(&database, &["dev", "--listen", "127.0.0.1:0"])).await;
    let (_, keys) = service.get("/v1/keys?email=ann@example.com").await;
    assert_eq!(
        (&keys["items"][0]["provider"], &keys["items"][0]["isDefault"]),
        (&json!("openai"), &json!(true))
    );
    assert!(service.interrupt().await.success());
}
