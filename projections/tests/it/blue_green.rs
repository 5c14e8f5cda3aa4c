//! A read model is built anew beside the one that is read: from nothing but the log, while everything goes on, and no query
//! fails.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use slipstream_commands::Place;
use slipstream_eventlog::{ProjectorId, ProjectorState};
use slipstream_projections::{
    Conversations, Projection, READ_MODELS, ReadModel, Transcript, Waited, conversations, drop_retired,
    start_rebuild, transcript,
};
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use crate::world::{PATIENCE, World};

/// What a cut-over changes none of: a checksum of each table of the versions in a state, by read model and table.
async fn checksums(world: &World, state: ProjectorState) -> Vec<(String, String)> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT p.name || '.' || t.tablename, format('%I.%I', t.schemaname, t.tablename)
         FROM es.projector AS p JOIN pg_tables AS t ON t.schemaname = format('rm_%s_v%s', p.name, p.version)
         WHERE p.state = $1 ORDER BY 1",
    )
    .bind(state)
    .fetch_all(world.pool())
    .await
    .unwrap();
    let mut sums = Vec::new();
    for (name, table) in tables {
        let sum = format!(
            "SELECT md5(coalesce(string_agg(r::text, E'\\n' ORDER BY r::text COLLATE \"C\"), '')) || ' of ' || count(*)
             FROM {table} AS r"
        );
        sums.push((name, sqlx::query_scalar(AssertSqlSafe(sum)).fetch_one(world.pool()).await.unwrap()));
    }
    sums
}

/// Waits until queries read these, and they have the whole log; of a log that does not grow.
async fn until_read(world: &World, wanted: &[ProjectorId]) {
    let begin = Instant::now();
    loop {
        let head = world.log.head().await.unwrap().position;
        let all = world.log.projectors().await.unwrap();
        let read = |id: &ProjectorId| {
            all.iter().any(|status| status.projector == *id && status.state == ProjectorState::Active)
        };
        if wanted.iter().all(read) && all.iter().all(|status| status.position >= head) {
            return;
        }
        assert!(begin.elapsed() < 3 * PATIENCE, "{wanted:?}: {all:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn rebuild_all(world: &World) -> Vec<ProjectorId> {
    let mut rebuilt = Vec::new();
    for model in &READ_MODELS {
        rebuilt.push(start_rebuild(&world.log, model).await.unwrap().projector);
    }
    rebuilt
}

fn first_of_all() -> Vec<ProjectorId> {
    [Conversations::id(), Transcript::id()].to_vec()
}

#[tokio::test]
async fn with_everything_gone_but_the_log_a_rebuild_makes_every_table_the_same_byte_for_byte() {
    let (world, running) = World::new().await;
    let user = world.user("anna").await;
    for round in 0..5 {
        let posted =
            world.exchange(user, world.new_chat(), &format!("{round} ä"), &["a", "ö", ""]).await.posted;
        world.exchange(user, Place::In(posted.conversation_id), "more", &["b"]).await;
        world.say(user, Place::In(posted.conversation_id), "unanswered").await;
    }
    until_read(&world, &first_of_all()).await;
    let before = checksums(&world, ProjectorState::Active).await;
    assert!(
        before.len() > READ_MODELS.len() && before.iter().any(|(_, sum)| !sum.ends_with(" of 0")),
        "{before:?}"
    );
    world
        .sql(
            "DO $$ DECLARE name text; BEGIN
                 FOR name IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rm\\_%' LOOP
                     EXECUTE format('DROP SCHEMA %I CASCADE', name);
                 END LOOP;
             END $$",
        )
        .await;

    let rebuilt = rebuild_all(&world).await;
    let begin = Instant::now();
    while checksums(&world, ProjectorState::Active).await != before {
        assert!(begin.elapsed() < 2 * PATIENCE, "{:?}", checksums(&world, ProjectorState::Active).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for model in &READ_MODELS {
        drop_retired(&world.log, model).await.unwrap();
    }
    until_read(&world, &rebuilt).await;
    assert_eq!(checksums(&world, ProjectorState::Active).await, before);
    world.end(running).await;
}

#[tokio::test]
async fn while_commands_and_queries_go_on_none_fails_and_everybody_sees_what_they_have_written() {
    let (world, running) = World::new().await;
    let user = world.user("anna").await;
    for _ in 0..10 {
        world.exchange(user, world.new_chat(), "before", &["a", "b"]).await;
    }
    until_read(&world, &first_of_all()).await;
    let (over, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let talk = async {
        while !over.load(Ordering::Relaxed) {
            let posted = world.exchange(user, world.new_chat(), "meanwhile", &["yes"]).await;
            let id = posted.posted.conversation_id;
            assert_eq!(world.wait::<Transcript>(id, posted.end).await, Waited::Reached);
            let told = transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
            assert_eq!(told[1].text.as_deref(), Some("yes"));
            assert_eq!(world.wait::<Conversations>(id, posted.end).await, Waited::Reached);
            assert_eq!(conversations::list(&world.models, user, None, 1).await.unwrap().items[0].id, id);
            seen.fetch_add(1, Ordering::Relaxed);
        }
    };
    let rebuilds = async {
        for _ in 0..3 {
            let rebuilt = rebuild_all(&world).await;
            until_active(&world, &rebuilt).await;
            for model in &READ_MODELS {
                assert_eq!(drop_retired(&world.log, model).await.unwrap().len(), 1, "{}", model.name);
            }
        }
        let last = rebuild_all(&world).await;
        until_active(&world, &last).await;
        over.store(true, Ordering::Relaxed);
        last
    };
    let (last, ()) = tokio::join!(rebuilds, talk);
    assert!(seen.load(Ordering::Relaxed) > 10, "{seen:?}");
    until_read(&world, &last).await;
    let (new, old) =
        (checksums(&world, ProjectorState::Active).await, checksums(&world, ProjectorState::Retired).await);
    assert_eq!(new, old, "what is retired is kept up to date until it is dropped");
    world.end(running).await;
}

/// Waits until queries read these, of a log that grows.
async fn until_active(world: &World, wanted: &[ProjectorId]) {
    let begin = Instant::now();
    loop {
        let all = world.log.projectors().await.unwrap();
        let active = all.iter().filter(|status| status.state == ProjectorState::Active);
        if active.filter(|status| wanted.contains(&status.projector)).count() == wanted.len() {
            return;
        }
        assert!(begin.elapsed() < 3 * PATIENCE, "{wanted:?}: {all:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_rebuild_that_was_cut_short_goes_on_where_it_stood() {
    let (world, running) = World::new().await;
    let user = world.user("anna").await;
    world.exchange(user, world.new_chat(), "before", &["a"]).await;
    until_read(&world, &first_of_all()).await;
    running.stop().await;
    let model = ReadModel::named("transcript").unwrap();
    let first = start_rebuild(&world.log, model).await.unwrap();
    assert_eq!((first.projector.version, first.resumed), (Transcript::VERSION + 1000, false));
    let again = start_rebuild(&world.log, model).await.unwrap();
    assert_eq!((&again.projector, again.resumed), (&first.projector, true));
    world.exchange(user, world.new_chat(), "meanwhile", &["b"]).await;
    let running = world.run();
    until_read(&world, std::slice::from_ref(&first.projector)).await;
    let next = start_rebuild(&world.log, model).await.unwrap();
    assert_eq!((next.projector.version, next.resumed), (Transcript::VERSION + 2000, false));
    until_read(&world, &[next.projector]).await;
    let dropped = drop_retired(&world.log, model).await.unwrap();
    assert_eq!(dropped, [Transcript::id(), first.projector]);
    assert_eq!(drop_retired(&world.log, model).await.unwrap(), []);
    world.end(running).await;
}

#[tokio::test]
async fn what_somebody_still_reads_is_not_dropped_before_they_have_ended() {
    let (world, running) = World::new().await;
    until_read(&world, &first_of_all()).await;
    let model = ReadModel::named("conversations").unwrap();
    let reading = world.pool().begin().await.unwrap();
    let rebuilt = start_rebuild(&world.log, model).await.unwrap().projector;
    until_read(&world, &[rebuilt]).await;
    let mut dropping = Box::pin(drop_retired(&world.log, model));
    let waits = tokio::time::timeout(Duration::from_millis(500), &mut dropping).await;
    assert!(waits.is_err(), "dropped what is being read");
    reading.rollback().await.unwrap();
    assert_eq!(dropping.await.unwrap(), [Conversations::id()]);
    world.end(running).await;
}
