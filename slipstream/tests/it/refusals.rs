//! What cannot work says so and says what would.

use std::process::Output;
use std::time::Duration;

use slipstream_testkit::TestDatabase;

use crate::process::{DataFolder, Dev, run_on, slipstream};

/// The advisory lock of who owns a database.
const OWNER_LOCK: i64 = 7_310_034_171;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = DataFolder::new();
    let output = run_on(&folder, &["dev", "--listen", &address]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&address) && said(&output).contains("--listen"), "{}", said(&output));
}

#[tokio::test]
async fn a_data_folder_in_use_is_named_with_its_owner() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let output = run_on(&folder, &["dev", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("is in use by process") && said.contains("--data-dir"), "{said}");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_wrong_command_line_is_exit_code_2() {
    for arguments in [&["dve"][..], &["dev", "--listen", "4000"], &[]] {
        let output = slipstream(arguments).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_exit_code_1() {
    let mut command = slipstream(&["migrate"]);
    let output = command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("DATABASE_URL"), "{}", said(&output));
}

#[tokio::test]
async fn a_base_url_that_is_none_is_named_before_anything_is_started() {
    let folder = DataFolder::new();
    let path = folder.path();
    let mut command = slipstream(&["dev", "--listen", "127.0.0.1:0", "--data-dir", path.to_str().unwrap()]);
    let output = command.env("OPENAI_BASE_URL", "not a url").output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("base URL of provider openai"), "{}", said(&output));
    assert!(!path.exists(), "a data folder was made");
}

#[tokio::test]
async fn a_database_has_one_owner_at_a_time() {
    let database = TestDatabase::create().await;
    let start = || {
        let mut command = slipstream(&["dev", "--listen", "127.0.0.1:0"]);
        command
            .env("DATABASE_URL", database.url())
            .env("EMAIL_PEPPER", "pepper")
            .env("ENCRYPTION_KEY", "a1".repeat(32));
        command
    };
    let first = Dev::spawn(start()).await;
    let second = start().output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(said(&second).contains("in use by another `slipstream dev`"), "{}", said(&second));
    first.kill().await;
    assert!(Dev::spawn(start()).await.interrupt().await.success(), "a killed owner's database is free again");
}

#[tokio::test]
async fn an_owner_takes_its_database_again_after_a_restart_and_stops_when_another_was_faster() {
    let database = TestDatabase::create().await;
    let mut command = slipstream(&["dev", "--listen", "127.0.0.1:0"]);
    command
        .env("DATABASE_URL", database.url())
        .env("EMAIL_PEPPER", "pepper")
        .env("ENCRYPTION_KEY", "a1".repeat(32));
    let owner = Dev::spawn(command).await;
    let mut other = database.pool().acquire().await.unwrap();
    // What a restart of PostgreSQL does to it.
    let cut_off = || async {
        let cut_off = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
            WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = $1 AND granted";
        sqlx::query_scalar::<_, i64>(cut_off).bind(OWNER_LOCK).fetch_one(database.pool()).await.unwrap()
    };
    assert_eq!(cut_off().await, 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let again = async {
        while cut_off().await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), again).await.expect("it does not take it again");
    sqlx::query("SELECT pg_advisory_lock($1)").bind(OWNER_LOCK).execute(&mut *other).await.unwrap();
    assert_eq!(owner.ended().await.code(), Some(1));
}

#[tokio::test]
async fn several_processes_that_start_at_once_migrate_once() {
    let database = TestDatabase::create().await;
    unmigrate(database.pool()).await;
    let migrate = || {
        let mut command = slipstream(&["migrate"]);
        command.env("DATABASE_URL", database.url());
        async move { command.output().await.unwrap() }
    };
    let outputs = tokio::join!(migrate(), migrate(), migrate(), migrate());
    for output in [outputs.0, outputs.1, outputs.2, outputs.3] {
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// Leaves an empty database.
async fn unmigrate(pool: &sqlx::PgPool) {
    let schemas: Vec<String> = sqlx::query_scalar(
        "SELECT nspname::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for schema in schemas {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE")))
            .execute(pool)
            .await
            .unwrap();
    }
    sqlx::raw_sql("CREATE SCHEMA public").execute(pool).await.unwrap();
}
