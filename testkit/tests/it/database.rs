//! A test's database is its own, migrated, and gone afterwards.

use slipstream_testkit::TestDatabase;
use sqlx::PgPool;

async fn database_exists(pool: &PgPool, name: &str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn name(database: &TestDatabase) -> String {
    sqlx::query_scalar("SELECT current_database()::text").fetch_one(database.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_made_at_once_are_migrated_and_apart() {
    let (one, two, three) =
        tokio::join!(TestDatabase::create(), TestDatabase::create(), TestDatabase::create());
    for database in [&one, &two, &three] {
        let events: i64 =
            sqlx::query_scalar("SELECT count(*) FROM es.event").fetch_one(database.pool()).await.unwrap();
        assert_eq!(events, 0);
    }
    sqlx::query("CREATE TABLE mine ()").execute(one.pool()).await.unwrap();
    let seen: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('mine')::text").fetch_one(two.pool()).await.unwrap();
    assert_eq!(seen, None);
    for database in [one, two, three] {
        database.drop().await;
    }
}

#[tokio::test]
async fn the_url_leads_to_the_same_database() {
    let database = TestDatabase::create().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    let reached: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&pool).await.unwrap();
    assert_eq!(reached, name(&database).await);
    database.drop().await;
}

#[tokio::test]
async fn a_database_goes_with_its_test_whether_it_ends_well_or_not() {
    let watcher = TestDatabase::create().await;
    let ended = TestDatabase::create().await;
    let forgotten = TestDatabase::create().await;
    let names = [name(&ended).await, name(&forgotten).await];
    assert!(database_exists(watcher.pool(), &names[0]).await);
    ended.drop().await;
    drop(forgotten);
    for name in names {
        assert!(!database_exists(watcher.pool(), &name).await, "{name} is still there");
    }
    watcher.drop().await;
}
