//! Personal text in the log is nobody's without the master key.

use std::process::Output;

use slipstream_testkit::TestDatabase;
use tokio::process::Command;

use crate::client::Client;
use crate::process::{DataFolder, Dev, run_on, slipstream};

const PLANTED: &str = "planted in a prompt";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn on(database: &TestDatabase, arguments: &[&str], master_keys: &str) -> Command {
    let mut command = slipstream(arguments);
    command.env("DATABASE_URL", database.url()).env("EMAIL_PEPPER", "pepper");
    command.env("ENCRYPTION_KEY", master_keys);
    command
}

fn dev(database: &TestDatabase, master_keys: &str) -> Command {
    on(database, &["dev", "--listen", "127.0.0.1:0"], master_keys)
}

async fn count(database: &TestDatabase, events: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM es.event WHERE {events}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(database.pool()).await.unwrap()
}

#[tokio::test]
async fn what_was_said_is_read_with_the_master_key_and_not_without() {
    let database = TestDatabase::create().await;
    let master = "a1".repeat(32);
    let service = Dev::spawn(dev(&database, &master)).await;
    let mut client = Client::connect(service.address, "ann@example.com").await;
    client.ask("new-chat", PLANTED).await;
    let conversation = client.answer(usize::MAX).await.conversation;
    assert!(service.interrupt().await.success());

    assert!(count(&database, "sealed IS NOT NULL").await > 3);
    assert_eq!(
        count(&database, "key_id = '00000000-0000-0000-0000-000000000000'").await,
        0,
        "sealed by nobody"
    );
    for text in [PLANTED, "ann@example.com"] {
        assert_eq!(
            count(&database, &format!("position(convert_to('{text}', 'UTF8') IN sealed) > 0")).await,
            0
        );
    }

    let replay = ["replay", conversation.as_str()];
    let told = on(&database, &replay, &master).output().await.unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains(PLANTED), "{}", said(&told));
    let blind = on(&database, &replay, &"b2".repeat(32)).output().await.unwrap();
    assert_eq!(blind.status.code(), Some(1));
    assert!(said(&blind).contains("lacks master key"), "{}", said(&blind));
    let refused = dev(&database, &"b2".repeat(32)).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("lacks master key"), "{}", said(&refused));

    let both = format!("{},{master}", "b2".repeat(32));
    let again = Dev::spawn(dev(&database, &both)).await;
    let (status, list) =
        again.get(&format!("/v1/conversations/{conversation}/messages?email=ann@example.com")).await;
    assert_eq!((status, list["items"][0]["text"].as_str()), (200, Some(PLANTED)));
    assert!(again.interrupt().await.success());
}

#[tokio::test]
async fn a_master_key_that_is_none_is_refused_before_anything_is_done() {
    let database = TestDatabase::create().await;
    for (key, wanted) in [("", "must be set together with DATABASE_URL"), ("a1b2", "has 4 characters")] {
        let refused = dev(&database, key).output().await.unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains(wanted), "{}", said(&refused));
        assert!(!said(&refused).contains("a1b2"), "{}", said(&refused));
    }
}

#[tokio::test]
async fn a_data_folder_keeps_a_master_key_of_its_own() {
    let folder = DataFolder::new();
    let service = Dev::start(&folder).await;
    let mut client = Client::connect(service.address, "ann@example.com").await;
    client.ask("new-chat", PLANTED).await;
    let conversation = client.answer(usize::MAX).await.conversation;
    assert!(service.interrupt().await.success());

    assert_eq!(std::fs::read_to_string(folder.path().join("master-key")).unwrap().len(), 64);
    let told = run_on(&folder, &["replay", &conversation]).await;
    assert!(String::from_utf8_lossy(&told.stdout).contains(PLANTED), "{}", said(&told));
}
