//! The log is the truth: everything else may be lost, and is made again by one command, beside the service or without it.

use serde_json::Value;
use slipstream_testkit::{TestDatabase, TestServer};
use tokio::task::block_in_place;

use crate::client::Client;
use crate::operator::{on, run};
use crate::process::Dev;

const PROMPT: &str = "[[chunks=3 bytes=5 delay_ms=0]]";

async fn serve(database: &TestDatabase, redis: &TestServer, nats: &TestServer) -> Dev {
    let mut command =
        on(database, &["serve", "--roles", "worker,gateway,projector", "--listen", "127.0.0.1:0"]);
    command.env("SLIPSTREAM_AUTH__DEVELOPMENT_EMAIL", "true");
    command.env("NATS_URL", nats.url()).env("REDIS_URL", redis.url());
    Dev::spawn(command).await
}

async fn lose_all_read_models(database: &TestDatabase) {
    let drop_all = "DO $$ DECLARE name text; BEGIN
                        FOR name IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rm\\_%' LOOP
                            EXECUTE format('DROP SCHEMA %I CASCADE', name);
                        END LOOP;
                    END $$";
    sqlx::raw_sql(drop_all).execute(database.pool()).await.unwrap();
}

/// What the user sees of everything.
async fn seen(service: &Dev) -> (Value, Value) {
    let (code, conversations) = service.get("/v1/conversations?email=a@example.com").await;
    assert_eq!(code, 200, "{conversations}");
    let id = conversations["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{conversations}"));
    let (code, messages) = service.get(&format!("/v1/conversations/{id}/messages?email=a@example.com")).await;
    assert_eq!(code, 200, "{messages}");
    (conversations, messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_everything_lost_but_the_log_one_command_shows_users_what_they_saw_before() {
    let database = TestDatabase::create().await;
    let (mut redis, nats) = block_in_place(|| (TestServer::redis(), TestServer::nats()));
    let service = serve(&database, &redis, &nats).await;
    let mut client = Client::connect(service.address, "a@example.com").await;
    client.ask("new-chat", PROMPT).await;
    let first = client.answer(usize::MAX).await;
    let before = seen(&service).await;

    lose_all_read_models(&database).await;
    block_in_place(|| {
        redis.kill();
        redis.restart();
    });
    let (code, _) = service.get("/v1/conversations?email=a@example.com").await;
    assert_eq!(code, 503, "nothing is shown that is not there");
    let (code, said) = run(on(&database, &["projections", "rebuild", "--all"])).await;
    assert!(
        code == 0 && said.contains("transcript v1002 is read, with everything up to position"),
        "{code} {said}"
    );
    assert!(said.contains(" events/s)"), "{said}");
    assert_eq!(seen(&service).await, before);
    client.ask(&first.conversation, PROMPT).await;
    client.answer(usize::MAX).await;
    let (code, said) = run(on(&database, &["projections", "drop-old"])).await;
    assert!(code == 0 && said.contains("conversations v2 is removed\n"), "{code} {said}");
    let (code, said) = run(on(&database, &["projections", "drop-old"])).await;
    assert_eq!((code, said.as_str()), (0, "nothing is retired\n"));
    let before = seen(&service).await;
    assert_eq!(before.1["items"].as_array().map(Vec::len), Some(4), "{before:?}");
    assert!(service.interrupt().await.success());

    lose_all_read_models(&database).await;
    let (code, said) = run(on(&database, &["projections", "rebuild", "--all"])).await;
    assert!(code == 0 && said.contains("usage_daily v2001 is read"), "{code} {said}");
    let service = serve(&database, &redis, &nats).await;
    assert_eq!(seen(&service).await, before, "rebuilt while nobody served");
    assert!(service.interrupt().await.success());
}

#[tokio::test]
async fn one_read_model_is_rebuilt_by_its_name_and_a_wrong_name_is_answered_with_the_right_one() {
    let database = TestDatabase::create().await;
    let (code, said) = run(on(&database, &["projections", "rebuild", "transcript"])).await;
    assert!(code == 0 && said.contains("transcript v1002 is read"), "{code} {said}");
    let (_, said) = run(on(&database, &["projections", "status"])).await;
    assert!(said.contains("transcript v1002: active"), "{said}");
    for (arguments, right) in [
        (&["projections", "rebuild", "transcirpt"][..], "did you mean transcript?"),
        (&["projections", "drop-old", "usage_dayly"], "did you mean usage_daily?"),
        (&["projections", "rebuild"], "<NAME>"),
        (&["projections", "rebuild", "transcript", "--all"], "cannot be used with"),
    ] {
        let (code, said) = run(on(&database, arguments)).await;
        assert!(code == 2 && said.contains(right), "{arguments:?}: {code} {said}");
    }
}
