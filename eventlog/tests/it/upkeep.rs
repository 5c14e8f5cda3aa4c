//! What keeps the log going over years: migrations, partitions, the idempotency window.

use slipstream_eventlog::{CorrelationId, LogOptions, Position, Verification, Version, migrate};
use slipstream_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::support::{
    RunningLog, World, append, assert_clean, correlation_of, grow, one, stream, to, together, whole_feed,
};

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let host = TestDatabase::create().await;
    let name = format!("test_{}", Uuid::new_v4().simple());
    let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
    sqlx::query(create).execute(host.pool()).await.unwrap();
    let options = (*host.pool().connect_options()).clone().database(&name);

    let starts = (0..8).map(|_| {
        let options = options.clone();
        async move {
            let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
            migrate(&pool).await.unwrap();
            pool
        }
    });
    let pools = together(starts).await;

    let applied: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE version = 1 AND success")
            .fetch_one(&pools[0])
            .await
            .unwrap();
    assert_eq!(applied, 1);
    for pool in &pools {
        let running = RunningLog::start(pool, LogOptions::default());
        grow(&running.log, stream(), 1).await;
        running.stop().await;
        pool.close().await;
    }
    let remove = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    sqlx::query(remove).execute(host.pool()).await.unwrap();
    host.drop().await;
}

/// Makes partitions of `size` events on an empty log.
async fn shrink_partitions(pool: &PgPool, size: i64) {
    for statement in ["DROP TABLE es.event_1", "DELETE FROM es.partition"] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    sqlx::query("SELECT es.add_partition($1)").bind(size).execute(pool).await.unwrap();
}

async fn partitions(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM es.partition").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn streams_batches_and_pages_cross_partitions() {
    let database = TestDatabase::create().await;
    shrink_partitions(database.pool(), 10).await;
    let running = RunningLog::start(database.pool(), LogOptions::default());
    let (log, across) = (&running.log, stream());
    let (filler, others) = (|events| grow(log, stream(), events), [3, 9, 25, 1]);
    for (version, events) in others.into_iter().enumerate() {
        log.append(append(vec![one(across, i64::try_from(version).unwrap())])).await.unwrap();
        filler(events).await;
    }

    let positions = [1, 5, 15, 41];
    let read = log.read_stream(across, Version::NONE).await.unwrap();
    assert!(read.iter().map(|event| event.position.get()).eq(positions));
    let of_it =
        log.read_correlation(correlation_of(across), Position::START, Position::new(42)).await.unwrap();
    assert_eq!(of_it, read);
    assert_eq!(log.read_streams(&[across], Position::new(20)).await.unwrap(), read[..3]);
    assert_eq!(whole_feed(log).await.len(), 42);
    assert_eq!(partitions(database.pool()).await, 5);
    assert_clean(log).await;

    // The next start finds the last partition entered and adds one ahead; the closed ones are frozen.
    running.stop().await;
    let running = RunningLog::start(database.pool(), LogOptions::default());
    for _ in 0..100 {
        let frozen: i64 = sqlx::query_scalar("SELECT count(*) FROM es.partition WHERE frozen_at IS NOT NULL")
            .fetch_one(database.pool())
            .await
            .unwrap();
        if frozen == 4 && partitions(database.pool()).await == 6 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(partitions(database.pool()).await, 6);
    let ages: Vec<i32> = sqlx::query_scalar(
        "SELECT age(relfrozenxid) FROM pg_class WHERE oid IN ('es.event_1'::regclass, 'es.event_4'::regclass)",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert!(ages.iter().all(|age| *age < 50), "{ages:?}");
    running.stop().await;
    database.drop().await;
}

#[tokio::test]
async fn a_version_repeated_in_another_partition_is_found() {
    let database = TestDatabase::create().await;
    shrink_partitions(database.pool(), 4).await;
    let running = RunningLog::start(database.pool(), LogOptions::default());
    grow(&running.log, stream(), 6).await;
    sqlx::query("UPDATE es.event SET version = 2 WHERE position = 6").execute(database.pool()).await.unwrap();

    let faults = running.log.verify(Verification::default(), |_| {}).await.unwrap().faults;

    assert!(faults.iter().any(|fault| fault.to_string().contains("versions are not gapless")), "{faults:?}");
    running.stop().await;
    database.drop().await;
}

#[tokio::test]
async fn commands_are_forgotten_after_a_week_and_not_before() {
    let world = World::new().await;
    let (old, young) = (append(vec![one(stream(), 0)]), append(vec![one(stream(), 0)]));
    for append in [&old, &young] {
        world.log.append(append.clone()).await.unwrap();
    }
    for (days, append) in [(8, &old), (6, &young)] {
        sqlx::query("UPDATE es.event SET recorded_at = now() - $1 * interval '1 day' WHERE command_id = $2")
            .bind(f64::from(days))
            .bind(append.command_id.as_uuid())
            .execute(world.pool())
            .await
            .unwrap();
    }

    // Maintenance makes its first round when a log starts.
    let other = world.another(LogOptions::default());
    while world.log.command(old.command_id).await.unwrap().is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(world.log.command(young.command_id).await.unwrap().is_some());
    other.stop().await;
    world.end_faulty().await;
}

#[tokio::test]
async fn many_readers_by_correlation_see_only_their_own() {
    let world = World::new().await;
    let shared = stream();
    for version in 0..3 {
        let own = stream();
        let mut both = to(own, 0, vec![crate::support::event()]);
        both.correlation = CorrelationId::from_uuid(shared.as_uuid());
        world.log.append(append(vec![both, one(shared, version)])).await.unwrap();
    }
    let all = world
        .log
        .read_correlation(correlation_of(shared), Position::START, Position::new(100))
        .await
        .unwrap();
    assert_eq!(all.len(), 6);
    world.end().await;
}
