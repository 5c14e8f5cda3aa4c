//! Who runs the projections, and what becomes of them when that one is lost.

use std::str::FromStr;
use std::time::Duration;

use slipstream_commands::{Place, upcasters};
use slipstream_eventlog::ProjectorState;
use slipstream_projections::{Conversations, Generations, READ_MODELS, Transcript, Waited, transcript};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::Instant;

use crate::world::{PATIENCE, Running, World, log_on};

/// A runner in a process of its own, as far as its connections and its tasks go.
struct Process(tokio::runtime::Runtime);

impl Process {
    fn start(world: &World) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = PgConnectOptions::from_str(world.url()).unwrap().application_name("runner");
        runtime.spawn(async move {
            let pool = PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap();
            std::mem::forget(Running::start(log_on(pool, upcasters())));
        });
        Self(runtime)
    }

    /// Without a word.
    fn kill(self) {
        self.0.shutdown_background();
    }
}

async fn owners(world: &World) -> Vec<Option<String>> {
    let status = world.log.projectors().await.unwrap();
    status.into_iter().map(|status| status.owner).collect()
}

async fn until_all_are_owned(world: &World) {
    let begin = Instant::now();
    while owners(world).await.iter().flatten().count() < READ_MODELS.len() {
        assert!(begin.elapsed() < PATIENCE, "nobody runs them all");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn of_two_runners_one_owns_a_projection_and_the_other_takes_over_after_the_lease() {
    let world = World::still().await;
    let user = world.user("a").await;
    let first = Process::start(&world);
    until_all_are_owned(&world).await;
    let owned = owners(&world).await;
    let second = world.run();
    let one = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted.conversation_id;
    world.settled(one).await;
    assert_eq!(owners(&world).await, owned, "the lease holds as long as it is renewed");

    first.kill();
    let killed = Instant::now();
    let two = world.exchange(user, Place::In(one), "two", &["due"]).await.posted.conversation_id;
    world.settled(two).await;
    let took = killed.elapsed();
    assert!(took >= Duration::from_secs(3), "taken from a live lease after {took:?}");
    let now = owners(&world).await;
    assert!(now.iter().zip(&owned).all(|(now, before)| now.is_some() && now != before));
    world.end(second).await;
}

#[tokio::test]
async fn a_runner_that_is_stopped_hands_on_at_once() {
    let (world, first) = World::new().await;
    let user = world.user("a").await;
    let one = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted.conversation_id;
    world.settled(one).await;
    first.stop().await;
    assert_eq!(owners(&world).await, [const { None }; READ_MODELS.len()]);
    let begin = Instant::now();
    let second = world.run();
    world.exchange(user, Place::In(one), "two", &["due"]).await;
    world.settled(one).await;
    assert!(begin.elapsed() < Duration::from_secs(3));
    world.end(second).await;
}

#[tokio::test]
async fn a_new_version_is_active_once_it_has_caught_up_and_a_retired_one_stays_so() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let one = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted.conversation_id;
    world.settled(one).await;
    let begin = Instant::now();
    while world.status::<Transcript>().await.state != ProjectorState::Active {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
    world
        .sql(
            "UPDATE es.projector SET state = 2 WHERE name = 'transcript';
             INSERT INTO es.projector SELECT name, 3, position, 0, NULL, lease_until, 1
             FROM es.projector WHERE name = 'transcript';
             CREATE SCHEMA rm_transcript_v3;
             CREATE TABLE rm_transcript_v3.message (LIKE rm_transcript_v2.message INCLUDING ALL);
             CREATE TABLE rm_transcript_v3.leaf (LIKE rm_transcript_v2.leaf INCLUDING ALL);",
        )
        .await;
    let running = world.run();
    let two = world.exchange(user, world.new_chat(), "two", &["due"]).await.posted.conversation_id;
    let head = world.log.head().await.unwrap().position;
    assert_eq!(world.wait::<Conversations>(two, head).await, Waited::Reached);
    while world.status::<Transcript>().await.position < head {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.status::<Transcript>().await.state, ProjectorState::Retired);
    let queried = slipstream_projections::transcript::messages(&world.models, user, one, None, 10).await;
    assert_eq!(queried.unwrap(), None, "queries read the active version, which is empty here");
    world.end(running).await;
}

#[tokio::test]
async fn a_runner_cut_off_in_the_middle_of_transactions_applies_every_event_once() {
    let world = World::still().await;
    // Slow enough to be hit in the middle; every committed write of a row is counted.
    world
        .sql(
            "CREATE TABLE writes (message_id uuid, status text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM pg_sleep(0.002);
                 INSERT INTO public.writes VALUES (new.message_id, new.status);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER note AFTER INSERT OR UPDATE OF status ON rm_transcript_v2.message
             FOR EACH ROW EXECUTE FUNCTION note();",
        )
        .await;
    let user = world.user("a").await;
    let process = Process::start(&world);
    let begin = Instant::now();
    let (mut exchanges, mut cuts) = (0, 0);
    let last = loop {
        let posted = world.exchange(user, world.new_chat(), "hello", &["a", "b"]).await.posted;
        exchanges += 1;
        cuts += i32::from(cut_off_in_a_write(&world).await);
        if cuts == 5 {
            break posted.conversation_id;
        }
        assert!(begin.elapsed() < 3 * PATIENCE, "{cuts} cuts hit a transaction");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    world.settled(last).await;
    let twice: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM public.writes GROUP BY message_id, status HAVING count(*) > 1) AS t",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(twice, 0, "a status was written twice");
    let counts: (i32, i32) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE role = 'user' AND status = 'posted')::int,
                count(*) FILTER (WHERE role = 'assistant' AND status = 'completed' AND text = 'ab'
                                       AND provider = 'simulated')::int
         FROM rm_transcript_v2.message",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(counts, (exchanges, exchanges));
    process.kill();
    world.close().await;
}

/// Cuts every connection of the runner, if one of them is writing messages just now.
async fn cut_off_in_a_write(world: &World) -> bool {
    let cut = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'runner'
                 AND EXISTS (SELECT FROM pg_stat_activity
                             WHERE datname = current_database() AND application_name = 'runner'
                               AND wait_event = 'PgSleep')";
    sqlx::query_scalar(cut).fetch_one(world.pool()).await.unwrap()
}

#[tokio::test]
async fn a_gap_in_the_log_stops_the_projections_before_it() {
    let world = World::still().await;
    let user = world.user("a").await;
    let before = world.exchange(user, world.new_chat(), "before", &["b"]).await;
    let lost = world.exchange(user, world.new_chat(), "lost", &["l"]).await;
    sqlx::query("DELETE FROM es.event WHERE position = $1")
        .bind(before.end.get() + 1)
        .execute(world.pool())
        .await
        .unwrap();
    let running = world.run();
    assert_eq!(world.wait::<Transcript>(before.posted.conversation_id, before.end).await, Waited::Reached);
    let patience = Duration::from_millis(500);
    let id = lost.posted.conversation_id;
    let waited = slipstream_projections::wait_for::<Generations>(&world.log, id, lost.end, patience).await;
    assert_eq!(waited, Waited::TimedOut);
    assert_eq!(world.status::<Transcript>().await.position, before.end);
    world.end(running).await;
}

#[tokio::test]
async fn a_page_of_large_events_is_cut_and_nothing_is_lost_at_the_cut() {
    let world = World::still().await;
    let user = world.user("a").await;
    let piece = "x".repeat(50_000);
    let mut ids = Vec::new();
    for _ in 0..16 {
        let posted =
            world.exchange(user, world.new_chat(), "much, please", &[piece.as_str(); 20]).await.posted;
        ids.push(posted.conversation_id);
    }
    let running = world.run();
    for id in ids {
        world.settled(id).await;
        let messages = transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
        assert_eq!(messages[1].text.as_ref().map(String::len), Some(1_000_000));
    }
    let transactions: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM rm_transcript_v2.message")
            .fetch_one(world.pool())
            .await
            .unwrap();
    assert!(transactions > 1, "16 MB in one transaction");
    world.end(running).await;
}
