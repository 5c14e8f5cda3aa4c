//! What analysts do: describe the views, run the example queries, export and read the files with DuckDB.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use slipstream_testkit::TestDatabase;
use sqlx::AssertSqlSafe;
use tokio::process::Command;

use crate::client::Client;
use crate::operator::{on, run, serve};
use crate::process::{Dev, tool};

const PROMPT: &str = "[[chunks=5 bytes=5 delay_ms=0 thinking=2]] \"please\", she said";
const VIEWS: [&str; 7] = [
    "active_users",
    "attachments",
    "conversations",
    "generations",
    "messages",
    "provider_errors",
    "usage_daily",
];

/// A service on which something was said, a reply failed, and a file was announced.
async fn busy() -> (TestDatabase, Dev, Client) {
    let database = TestDatabase::create().await;
    let service = serve(&database).await;
    let mut client = Client::connect(service.address, "a@example.com").await;
    say(&mut client, "new-chat", PROMPT).await;
    let conversation = say(&mut client, "new-chat", PROMPT).await;
    say(&mut client, &conversation, "[[chunks=3 bytes=5 delay_ms=0 fail_after=1 error=overloaded]]").await;
    client
        .send(serde_json::json!({"type": "asset_upload_prepare", "conversationId": conversation, "filename": "a.png",
            "mime": "image/png", "size": 7, "origin": "UPLOAD", "draftId": "d"}))
        .await;
    while client.frame().await.unwrap()["type"] != "asset_upload_instructions" {}
    settled(&database).await;
    (database, service, client)
}

async fn say(client: &mut Client, conversation: &str, prompt: &str) -> String {
    client.ask(conversation, prompt).await;
    client.answer(usize::MAX).await.conversation
}

async fn settled(database: &TestDatabase) {
    let behind =
        "SELECT EXISTS (SELECT FROM es.projector WHERE position < (SELECT max(last_position) FROM es.batch))";
    while sqlx::query_scalar::<_, bool>(behind).fetch_one(database.pool()).await.unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What DuckDB answers, rows of text.
async fn duckdb(query: &str) -> Vec<Vec<String>> {
    let program = "import duckdb, json, sys\n\
                   rows = duckdb.sql(sys.argv[1]).fetchall()\n\
                   print(json.dumps([[str(value) for value in row] for row in rows]))";
    let output =
        Command::new(tool("SLIPSTREAM_TEST_PYTHON")).args(["-c", program, query]).output().await.unwrap();
    assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exports into a file and gives the position to go on from.
async fn export(database: &TestDatabase, file: &Path, arguments: &[&str]) -> i64 {
    let arguments = [&["export", "--output", file.to_str().unwrap()], arguments].concat();
    let (code, said) = run(on(database, &arguments)).await;
    assert!(code == 0 && !file.with_added_extension("part").exists(), "{said}");
    let (_, position) = said.trim().rsplit_once(' ').unwrap();
    position.parse().unwrap()
}

#[tokio::test]
async fn every_example_query_runs_as_an_analyst_and_finds_something() {
    let (database, service, _client) = busy().await;
    let mut queries = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("ops/analytics")).unwrap() {
        let path = entry.unwrap().path();
        queries.insert(path.file_stem().unwrap().to_owned(), std::fs::read_to_string(path).unwrap());
    }
    assert!(queries.len() >= 8);
    for (name, query) in queries {
        assert!(query.starts_with("-- "), "{}: what it answers", name.display());
        let mut analyst = database.pool().begin().await.unwrap();
        sqlx::raw_sql("SET LOCAL ROLE slipstream_analyst").execute(&mut *analyst).await.unwrap();
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut *analyst).await;
        let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", name.display()));
        assert!(!rows.is_empty(), "{} finds nothing", name.display());
    }
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn duckdb_reads_what_was_exported_and_comes_to_the_same_sums() {
    let (database, service, _client) = busy().await;
    let folder = tempfile::tempdir().unwrap();
    for view in VIEWS {
        let counted: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM analytics.{view}")))
                .fetch_one(database.pool())
                .await
                .unwrap();
        assert!(counted > 0, "{view} has something to export");
        let mut reads = Vec::new();
        for format in ["parquet", "csv", "ndjson"] {
            let file = folder.path().join(format!("{view}.{format}"));
            export(&database, &file, &["--table", view, "--format", format]).await;
            reads.push(format!("(SELECT count(*) FROM read_{format}('{}'))", file.display()));
        }
        let rows = duckdb(&format!("SELECT {}", reads.join(", "))).await;
        assert_eq!(rows, [[counted.to_string(), counted.to_string(), counted.to_string()]], "{view}");
    }
    let file = folder.path().join("generations.parquet");
    let (in_duckdb, in_sql): (Vec<_>, Vec<_>) = SUMS.into_iter().unzip();
    let in_sql: Vec<_> = in_sql.iter().map(|sum| format!("coalesce(({sum})::text, 'None')")).collect();
    let in_sql = format!("SELECT ARRAY[{}] FROM analytics.generations", in_sql.join(", "));
    let in_sql: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(in_sql)).fetch_one(database.pool()).await.unwrap();
    let in_duckdb = format!("SELECT {} FROM read_parquet('{}')", in_duckdb.join(", "), file.display());
    assert_eq!(duckdb(&in_duckdb).await, [in_sql]);
    let position = format!("SELECT decode(value) FROM parquet_kv_metadata('{}')", file.display());
    let position: i64 = duckdb(&position).await[0][0].parse().unwrap();
    let head: i64 = sqlx::query_scalar("SELECT max(last_position) FROM es.batch")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(position, head, "the file says what it holds");
    assert!(service.interrupt().await.success());
}

/// One sum for each type of column, as DuckDB writes it and as `PostgreSQL` does.
const SUMS: [(&str, &str); 8] = [
    ("count(DISTINCT generation_id)", "count(DISTINCT generation_id)"),
    ("sum(output_tokens)", "sum(output_tokens)"),
    ("sum(cost_micro_usd)", "sum(cost_micro_usd)"),
    ("sum(attempts)", "sum(attempts)"),
    ("round(sum(tokens_per_second), 6)", "round(sum(tokens_per_second)::numeric, 6)::double precision"),
    ("sum(epoch_us(requested_at))", "sum((extract(epoch FROM requested_at) * 1000000)::bigint)"),
    ("count(*) FILTER (WHERE NOT conversation_deleted)", "count(*) FILTER (WHERE NOT conversation_deleted)"),
    (
        "string_agg(user_id::text || status || coalesce(error_class, '-'), ',' ORDER BY position)",
        "string_agg(user_id::text || status || coalesce(error_class, '-'), ',' ORDER BY position)",
    ),
];

#[tokio::test]
async fn an_export_goes_on_where_the_one_before_ended() {
    let (database, service, mut client) = busy().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let first = export(&database, &file("1.parquet"), &["--table", "messages", "--format", "parquet"]).await;
    say(&mut client, "new-chat", PROMPT).await;
    settled(&database).await;
    let since = first.to_string();
    let arguments = ["--table", "messages", "--format", "parquet", "--since", &since];
    let second = export(&database, &file("2.parquet"), &arguments).await;
    assert!(second > first);
    let newer =
        duckdb(&format!("SELECT count(*) FROM read_parquet('{}')", file("2.parquet").display())).await;
    assert_eq!(newer, [["2"]], "the exchange that came after");
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM analytics.messages")
        .fetch_one(database.pool())
        .await
        .unwrap();
    let both = format!(
        "SELECT count(DISTINCT message_id) FROM read_parquet('{}/*.parquet')",
        folder.path().display()
    );
    assert_eq!(duckdb(&both).await, [[all.to_string()]]);

    let (code, said) =
        run(on(&database, &["export", "--table", "messages", "--since", &second.to_string()])).await;
    assert_eq!((code, said.lines().count()), (0, 1), "nothing but the head line: {said}");
    let (code, said) =
        run(on(&database, &["export", "--table", "usage_daily", "--since", "2020-01-01T00:00:00Z"])).await;
    assert!(code == 0 && said.lines().count() > 1, "{said}");
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn the_views_are_described_and_what_is_no_view_is_refused_with_those_that_are() {
    let database = TestDatabase::create().await;
    let (code, said) = run(on(&database, &["analytics", "describe"])).await;
    assert_eq!(code, 0);
    assert!(said.contains("analytics.generations: One row an attempt at a reply."), "{said}");
    assert!(
        said.contains("first_token_ms         bigint                     Latency to the first token:"),
        "{said}"
    );
    let (_, said) = run(on(&database, &["analytics", "describe", "usage_daily", "--json"])).await;
    let described: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(described[0]["name"], "usage_daily");
    assert_eq!(
        described[0]["columns"][0],
        serde_json::json!({"name": "day", "type": "date", "about": "In UTC."})
    );

    for (arguments, wanted) in [
        (
            &["analytics", "describe", "texts"][..],
            "there is no view texts; there are active_users, attachments,",
        ),
        (&["export", "--table", "texts"], "there is no view texts; there are active_users, attachments,"),
        (
            &["export", "--table", "messages", "--since", "99"],
            "--since 99 has not come yet: the log ends at position 0",
        ),
        (&["export", "--table", "messages", "--since", "soon"], "neither a position"),
        (&["export", "--table", "messages", "--format", "xlsx"], "[possible values: parquet, csv, ndjson]"),
    ] {
        let (code, said) = run(on(&database, arguments)).await;
        assert!(code == 2 && said.contains(wanted), "{arguments:?}: {code} {said}");
    }
}
