//! What analysts read: views that follow the read models, in the order of the log, without what was said.

use slipstream_commands::{Place, delete_conversation};
use slipstream_domain::ConversationId;
use slipstream_eventlog::{ProjectorId, activate, register};
use slipstream_projections::Position;
use slipstream_projections::QueryError;
use slipstream_projections::analytics::{Snapshot, Value, View, views};

use crate::world::World;

async fn view(world: &World, name: &str) -> View {
    let views = views(world.pool()).await.unwrap();
    views.into_iter().find(|view| view.name == name).expect("it is described")
}

/// The rows newer than a position, each as text, with the place of the last one, and how far they are whole.
async fn rows(world: &World, name: &str, since: Position) -> (Vec<String>, Position, Position) {
    let view = view(world, name).await;
    let mut snapshot = Snapshot::take(world.pool()).await.unwrap();
    let position = snapshot.position(&view).await.unwrap();
    let counted = snapshot.count(&view, since).await.unwrap();
    let (mut rows, mut whole) = (Vec::new(), since);
    let took = snapshot.rows(&view, since, |row, up_to| {
        assert_eq!(row.len(), view.columns.len());
        rows.push(format!("{row:?}"));
        whole = up_to;
        Ok::<_, QueryError>(())
    });
    took.await.unwrap();
    assert_eq!(counted, rows.len() as u64);
    (rows, whole, position)
}

fn mentions(rows: &[String], id: ConversationId) -> usize {
    let id = format!("{:?}", Value::Uuid(id.as_uuid()));
    rows.iter().filter(|row| row.contains(&id)).count()
}

#[tokio::test]
async fn every_view_and_what_needs_words_of_it_is_described() {
    let world = World::still().await;
    let views = views(world.pool()).await.unwrap();
    let names: Vec<_> = views.iter().map(|view| view.name.as_str()).collect();
    let expected = [
        "active_users",
        "attachments",
        "conversations",
        "generations",
        "messages",
        "provider_errors",
        "usage_daily",
    ];
    assert_eq!(names, expected);
    for view in &views {
        assert!(view.about.ends_with('.'), "{}: {:?}", view.name, view.about);
        for column in view.columns.iter().filter(|column| column.about.is_none()) {
            let said_by_its_name = ["_id", "provider", "model", "_at", "_tokens", "users", "kind", "status"]
                .iter()
                .any(|ending| column.name.ends_with(ending));
            let usual = [
                "top_p",
                "max_tokens",
                "enable_thinking",
                "enable_web_search",
                "thinking_ms",
                "finish_reason",
                "cancel_requested",
                "conversation_deleted",
                "completed",
                "cancelled",
                "interrupted",
                "failed",
                "error_class",
                "attempts",
                "title_cost_micro_usd",
                "mime",
            ];
            assert!(said_by_its_name || usual.contains(&&*column.name), "{}.{}", view.name, column.name);
        }
    }
    world.close().await;
}

#[tokio::test]
async fn rows_come_in_the_order_of_the_log_and_again_once_they_have_changed() {
    let (world, running) = World::new().await;
    let ann = world.user("ann").await;
    let first = world.exchange(ann, world.new_chat(), "one", &["a"]).await.posted;
    let second = world.exchange(ann, world.new_chat(), "two", &["b"]).await.posted;
    world.settled(second.conversation_id).await;

    let (all, whole, position) = rows(&world, "messages", Position::new(0)).await;
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(mentions(&all[..2], first.conversation_id), 2, "the older conversation is first");
    assert!(whole < position, "of the last position not all rows may have come");
    let (again, ..) = rows(&world, "messages", whole).await;
    assert_eq!(again, all[2..], "from there on, what was not whole comes again, whole");
    assert_eq!(rows(&world, "messages", position).await.0, Vec::<String>::new());

    world.exchange(ann, Place::In(first.conversation_id), "more", &["c"]).await;
    world.settled(first.conversation_id).await;
    let (newer, ..) = rows(&world, "messages", position).await;
    assert_eq!((newer.len(), mentions(&newer, first.conversation_id)), (4, 4), "{newer:?}");
    let (newer, ..) = rows(&world, "generations", position).await;
    assert_eq!(newer.len(), 1, "{newer:?}");

    delete_conversation(&world.app, ann, second.conversation_id).await.unwrap();
    world.settled(second.conversation_id).await;
    let (newer, _, end) = rows(&world, "generations", position).await;
    assert_eq!((newer.len(), mentions(&newer, second.conversation_id)), (2, 1), "it is told to be deleted");
    for sums in ["usage_daily", "active_users"] {
        let (all, ..) = rows(&world, sums, Position::new(0)).await;
        assert!(!all.is_empty());
        assert_eq!(rows(&world, sums, end).await.0, all, "{sums}: today's may still grow");
    }
    world.end(running).await;
}

#[tokio::test]
async fn what_was_said_is_in_no_view() {
    let (world, running) = World::new().await;
    let ann = world.user("ann-of-the-secret").await;
    let said = world.exchange(ann, world.new_chat(), "a secret prompt", &["a secret reply"]).await.posted;
    world.settled(said.conversation_id).await;
    for view in views(world.pool()).await.unwrap() {
        let (rows, ..) = rows(&world, &view.name, Position::new(0)).await;
        assert!(!rows.iter().any(|row| row.contains("secret")), "{}: {rows:?}", view.name);
    }
    world.end(running).await;
}

#[tokio::test]
async fn the_role_of_analysts_reads_the_views_and_nothing_else() {
    let world = World::still().await;
    let mut analyst = world.pool().begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL ROLE slipstream_analyst").execute(&mut *analyst).await.unwrap();
    for view in views(world.pool()).await.unwrap() {
        let all = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM analytics.{}", view.name));
        sqlx::query(all).execute(&mut *analyst).await.unwrap();
    }
    for refused in [
        "SELECT text FROM rm_transcript_v2.message",
        "SELECT * FROM es.event",
        "SELECT * FROM vault.data_key",
        "SELECT * FROM analytics.stands_on",
        "DELETE FROM analytics.conversations",
        "CREATE VIEW analytics.mine AS SELECT 1",
    ] {
        sqlx::raw_sql("SAVEPOINT before").execute(&mut *analyst).await.unwrap();
        let error = sqlx::raw_sql(refused).execute(&mut *analyst).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{refused}: {error}");
        sqlx::raw_sql("ROLLBACK TO before").execute(&mut *analyst).await.unwrap();
    }
    analyst.rollback().await.unwrap();
    world.close().await;
}

#[tokio::test]
async fn the_views_stand_on_the_version_that_is_read_from_its_cut_over_on() {
    let (world, running) = World::new().await;
    let ann = world.user("ann").await;
    let said = world.exchange(ann, world.new_chat(), "one", &["a"]).await.posted;
    world.settled(said.conversation_id).await;
    world
        .sql(
            "CREATE SCHEMA rm_generations_v2;
             CREATE TABLE rm_generations_v2.generation (LIKE rm_generations_v1.generation INCLUDING ALL);
             INSERT INTO rm_generations_v2.generation SELECT * FROM rm_generations_v1.generation;
             UPDATE rm_generations_v2.generation SET model = 'new';",
        )
        .await;
    let newer = ProjectorId::new("generations", 2);
    register(&mut world.pool().acquire().await.unwrap(), &newer).await.unwrap();
    let models = "SELECT string_agg(model, ',') FROM analytics.generations";
    let model = async || sqlx::query_scalar::<_, String>(models).fetch_one(world.pool()).await.unwrap();
    assert_eq!(model().await, "m", "it is being built");

    let reading = Snapshot::take(world.pool()).await.unwrap();
    let mut read = world.pool().begin().await.unwrap();
    sqlx::query(models).execute(&mut *read).await.unwrap();
    let cut_over = async || {
        let mut tx = world.pool().begin().await.unwrap();
        activate(&mut tx, &newer).await?;
        tx.commit().await
    };
    let error = cut_over().await.unwrap_err().to_string();
    assert!(error.contains("lock timeout"), "an analyst reads: {error}");
    assert_eq!(model().await, "m");
    drop((reading, read.rollback().await));

    cut_over().await.unwrap();
    assert_eq!(model().await, "new");
    running.stop().await;
    world.sql("DROP SCHEMA rm_generations_v1 CASCADE").await;
    assert_eq!(model().await, "new", "nothing holds on to the old one");
    world.close().await;
}
