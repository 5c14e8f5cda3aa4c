//! Planted faults: each is found, and named by its place.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use slipstream_eventlog::{Fault, Part, Position, Progress, SignedHead, StreamFault, Verification};
use sqlx::AssertSqlSafe;
use tokio_util::task::TaskTracker;

use crate::support::{World, append, event, grow, one, sealed, stream, to};

/// A log of twelve events: batch 1 holds 1–3, batch 2 holds 4, batches 3–10 one event each.
async fn world() -> World {
    let world = World::new().await;
    let (long, other) = (stream(), stream());
    world.log.append(append(vec![to(long, 0, vec![event(), sealed(b"secret"), event()])])).await.unwrap();
    world.log.append(append(vec![one(other, 0)])).await.unwrap();
    for version in 3..11 {
        world.log.append(append(vec![one(long, version)])).await.unwrap();
    }
    world
}

/// What `verify` finds after `damage`.
async fn found(damage: &[&str]) -> Vec<Fault> {
    let world = world().await;
    run(&world, damage).await;
    let report = world.log.verify(Verification::default(), |_| {}).await.unwrap();
    assert!(!report.is_clean());
    world.end_faulty().await;
    report.faults
}

async fn run(world: &World, statements: &[&str]) {
    for statement in statements {
        let done = sqlx::query(AssertSqlSafe(*statement)).execute(world.pool()).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement} changed nothing");
    }
}

fn led_to(signed: SignedHead) -> Verification {
    Verification { signed: vec![signed], ..Verification::default() }
}

async fn signed_head(world: &World) -> SignedHead {
    let head = world.log.head().await.unwrap();
    SignedHead { batch_no: head.batch_no, chain: head.chain }
}

fn altered(fault: &Fault, at: i64) -> bool {
    matches!(fault, Fault::EventAltered { position, .. } if position.get() == at)
}

fn p(position: i64) -> Position {
    Position::new(position)
}

#[tokio::test]
async fn a_log_as_it_was_written_is_without_fault_and_progress_is_told() {
    let world = world().await;
    let signed = signed_head(&world).await;
    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let tell = told.clone();
    let report = world.log.verify(led_to(signed), move |progress| tell.lock().unwrap().push(progress)).await;
    let report = report.unwrap();
    assert!(report.is_clean());
    assert_eq!((report.events, report.batches, report.head.position.get()), (12, 10, 12));
    assert_eq!(told.lock().unwrap().last(), Some(&Progress { events: 12, of: 12 }));
    world.end().await;
}

#[tokio::test]
async fn a_look_at_the_newest_batches_finds_what_is_wrong_there_and_says_nothing_of_the_rest() {
    let world = world().await;
    run(&world, &["UPDATE es.event SET type = 'Other' WHERE position = 2"]).await;
    let report = world.log.verify_newest(3).await.unwrap();
    assert!(report.is_clean());
    assert_eq!((report.events, report.batches, report.head.position.get()), (3, 3, 12));
    run(&world, &["UPDATE es.event SET type = 'Other' WHERE position = 11"]).await;
    let report = world.log.verify_newest(3).await.unwrap();
    assert_eq!(report.faults.len(), 1);
    assert!(altered(&report.faults[0], 11));
    assert_eq!(world.log.verify_newest(100).await.unwrap().events, 12, "a short log is looked at whole");
    world.end_faulty().await;
}

#[tokio::test]
async fn an_empty_log_is_without_fault() {
    World::new().await.end().await;
}

#[tokio::test]
async fn every_changed_column_of_an_event_is_found_at_its_position() {
    for change in [
        r#"data = '{"nonce":"other"}'"#,
        "owner_id = gen_random_uuid()",
        "correlation_id = gen_random_uuid()",
        "causation_position = 1",
        "type = 'Other'",
        "schema_version = 2",
        "category = 9",
        "command_id = gen_random_uuid()",
        "key_id = gen_random_uuid()",
        "sealed_hash = sha256('x')",
        "stream_id = gen_random_uuid()",
        "version = 77",
    ] {
        let faults = found(&[&format!("UPDATE es.event SET {change} WHERE position = 4")]).await;
        assert!(altered(&faults[0], 4), "{change}: {faults:?}");
    }
}

#[tokio::test]
async fn data_that_was_stored_as_jsonb_is_still_what_was_hashed() {
    let world = world().await;
    run(&world, &["UPDATE es.event SET data = data::jsonb::text::json"]).await;
    world.end().await;
}

#[tokio::test]
async fn an_edited_payload_whose_hash_was_edited_too_breaks_its_batch() {
    let faults = found(&["UPDATE es.event SET data = '{}', hash = sha256('y') WHERE position = 4"]).await;
    assert!(faults.contains(&Fault::BatchRoot { batch_no: 2 }), "{faults:?}");
}

#[tokio::test]
async fn another_time_or_index_is_found() {
    let time =
        found(&["UPDATE es.event SET recorded_at = recorded_at + interval '1 second' WHERE position = 2"])
            .await;
    assert_eq!(time, [Fault::EventTime { position: p(2) }]);
    let index = found(&["UPDATE es.event SET command_index = 5 WHERE position = 3"]).await;
    assert_eq!(index, [Fault::EventIndex { position: p(3) }]);
}

#[tokio::test]
async fn altered_sealed_bytes_are_found_and_removed_ones_are_no_fault() {
    let faults = found(&["UPDATE es.event SET sealed = 'other' WHERE position = 2"]).await;
    assert_eq!(faults, [Fault::SealedAltered { position: p(2) }]);
    let world = world().await;
    run(&world, &["UPDATE es.event SET sealed = NULL WHERE position = 2"]).await;
    world.end().await;
}

#[tokio::test]
async fn swapped_events_are_found() {
    let faults = found(&[
        "UPDATE es.event SET position = -1 * position + 1000 WHERE position IN (1, 3)",
        "UPDATE es.event SET position = position - 996 WHERE position IN (997, 999)",
    ])
    .await;
    assert!(faults.contains(&Fault::BatchRoot { batch_no: 1 }), "{faults:?}");
}

#[tokio::test]
async fn a_removed_event_is_found() {
    let faults = found(&["DELETE FROM es.event WHERE position = 6"]).await;
    assert!(faults.contains(&Fault::EventsMissing { first: p(6), last: p(6) }), "{faults:?}");
    let faults = found(&["DELETE FROM es.event WHERE position = 2"]).await;
    assert!(faults.contains(&Fault::EventsMissing { first: p(2), last: p(2) }), "{faults:?}");
}

#[tokio::test]
async fn a_removed_batch_is_found_with_or_without_its_events() {
    let without = found(&["DELETE FROM es.batch WHERE batch_no = 4"]).await;
    assert!(without.contains(&Fault::BatchesMissing { first: 4, last: 4 }), "{without:?}");
    assert!(without.contains(&Fault::EventsUnbatched { first: p(6), last: p(6) }), "{without:?}");
    let with =
        found(&["DELETE FROM es.batch WHERE batch_no = 4", "DELETE FROM es.event WHERE position = 6"]).await;
    assert!(with.contains(&Fault::BatchesMissing { first: 4, last: 4 }), "{with:?}");
}

#[tokio::test]
async fn a_removed_tail_is_found_by_the_signed_head() {
    let world = world().await;
    let signed = signed_head(&world).await;
    run(
        &world,
        &[
            "DELETE FROM es.event WHERE position > 10",
            "DELETE FROM es.batch WHERE batch_no > 8",
            "UPDATE es.stream SET version = 9, last_position = 10 WHERE version = 11",
        ],
    )
    .await;

    // Nothing is left of the tail, so only the signature can tell.
    assert!(world.log.verify(Verification::default(), |_| {}).await.unwrap().is_clean());
    let faults = world.log.verify(led_to(signed), |_| {}).await.unwrap().faults;
    assert_eq!(faults, [Fault::TailRemoved { signed: 10, head: 8 }]);

    // Nor does a new tail of the same length help.
    for _ in 0..2 {
        grow(&world.log, stream(), 1).await;
    }
    let faults = world.log.verify(led_to(signed), |_| {}).await.unwrap().faults;
    assert_eq!(faults, [Fault::HistoryReplaced { batch_no: 10 }]);
    world.end_faulty().await;
}

#[tokio::test]
async fn batches_removed_from_the_end_without_their_events_are_found() {
    let faults = found(&["DELETE FROM es.batch WHERE batch_no > 8"]).await;
    assert!(faults.contains(&Fault::EventsUnbatched { first: p(11), last: p(12) }), "{faults:?}");
}

#[tokio::test]
async fn a_forged_batch_is_found() {
    let faults = found(&[
        "INSERT INTO es.event SELECT 13, 2, recorded_at + interval '1 hour', causation_position, stream_id, command_id,
             correlation_id, owner_id, key_id, 0, category, schema_version, type, hash, sealed_hash, data, sealed
         FROM es.event WHERE position = 4",
        "INSERT INTO es.batch SELECT 11, 13, 13, recorded_at + interval '1 hour', root, chain FROM es.batch WHERE batch_no = 2",
        "UPDATE es.stream SET version = 2, last_position = 13 WHERE last_position = 4",
    ])
    .await;
    assert!(faults.contains(&Fault::BatchChain { batch_no: 11 }), "{faults:?}");
    assert!(altered(&faults[1], 13) || altered(&faults[2], 13), "{faults:?}");
}

#[tokio::test]
async fn every_changed_column_of_a_batch_breaks_the_chain() {
    for change in [
        "recorded_at = recorded_at + interval '1 microsecond'",
        "root = sha256('x')",
        "chain = sha256('x')",
        "first_position = 1",
        "last_position = 5",
    ] {
        let faults = found(&[&format!("UPDATE es.batch SET {change} WHERE batch_no = 2")]).await;
        assert!(faults.contains(&Fault::BatchChain { batch_no: 2 }), "{change}: {faults:?}");
    }
}

#[tokio::test]
async fn a_stream_that_disagrees_with_its_events_is_found() {
    for (damage, expected) in [
        ("UPDATE es.stream SET version = version + 1 WHERE last_position = 4", StreamFault::Registration),
        (
            "UPDATE es.stream SET owner_id = gen_random_uuid() WHERE last_position = 4",
            StreamFault::Registration,
        ),
        ("UPDATE es.stream SET category = 5 WHERE last_position = 4", StreamFault::Registration),
        ("UPDATE es.stream SET first_position = 3 WHERE last_position = 4", StreamFault::Registration),
        ("UPDATE es.stream SET status = 1 WHERE last_position = 4", StreamFault::Registration),
        (
            "DELETE FROM es.open_stream WHERE stream_id IN (SELECT stream_id FROM es.stream WHERE last_position = 4)",
            StreamFault::Registration,
        ),
        ("DELETE FROM es.stream WHERE last_position = 4", StreamFault::NotRegistered),
        ("INSERT INTO es.stream VALUES (gen_random_uuid(), 1, 4, 4, NULL, 1, 0)", StreamFault::NoEvents),
    ] {
        let faults = found(&[damage]).await;
        assert!(
            matches!(&faults[..], [Fault::Stream { fault, .. }] if *fault == expected),
            "{damage}: {faults:?}"
        );
    }
}

#[tokio::test]
async fn a_wreck_is_reported_up_to_a_thousand_faults_and_counted_beyond() {
    let world = World::new().await;
    grow(&world.log, stream(), 1500).await;
    run(&world, &["UPDATE es.event SET type = 'Other'"]).await;
    let report = world.log.verify(Verification::default(), |_| {}).await.unwrap();
    assert_eq!((report.faults.len(), report.more), (1000, 500));
    world.end_faulty().await;
}

/// Of a part of the log.
fn part(part: Part) -> Verification {
    Verification { part, ..Verification::default() }
}

#[tokio::test]
async fn a_range_is_checked_with_its_batches_and_the_links_of_all_and_what_lies_outside_is_not() {
    let world = world().await;
    run(&world, &["UPDATE es.event SET type = 'Other' WHERE position = 9"]).await;
    let check =
        async |first, last| world.log.verify(part(Part::Positions(p(first), p(last))), |_| {}).await.unwrap();
    let before = check(2, 5).await;
    assert!(before.is_clean(), "{before:?}");
    assert_eq!((before.events, before.batches), (5, 10), "whole batches of events, the links of all");
    let with = check(9, 99).await;
    assert_eq!(with.events, 4);
    assert!(altered(&with.faults[0], 9));
    run(&world, &["UPDATE es.batch SET chain = sha256('x') WHERE batch_no = 9"]).await;
    let faults = check(2, 5).await.faults;
    assert_eq!(faults, [Fault::BatchChain { batch_no: 9 }, Fault::BatchChain { batch_no: 10 }]);
    world.end_faulty().await;
}

#[tokio::test]
async fn a_correlation_is_checked_in_its_batches_and_its_streams_as_wholes() {
    let world = world().await;
    let correlation: uuid::Uuid =
        sqlx::query_scalar("SELECT correlation_id FROM es.event WHERE position = 4")
            .fetch_one(world.pool())
            .await
            .unwrap();
    let one = part(Part::Correlation(slipstream_eventlog::CorrelationId::from_uuid(correlation)));
    run(&world, &["UPDATE es.event SET type = 'Other' WHERE position = 9"]).await;
    let report = world.log.verify(one.clone(), |_| {}).await.unwrap();
    assert!(report.is_clean() && report.events == 1, "{report:?}");
    run(&world, &["UPDATE es.stream SET version = 7 WHERE first_position = 4"]).await;
    let report = world.log.verify(one.clone(), |_| {}).await.unwrap();
    assert!(
        matches!(report.faults[..], [Fault::Stream { fault: StreamFault::Registration, .. }]),
        "{report:?}"
    );
    run(&world, &["UPDATE es.event SET type = 'Other' WHERE position = 4"]).await;
    let report = world.log.verify(one, |_| {}).await.unwrap();
    assert!(altered(&report.faults[0], 4));
    world.end_faulty().await;
}

#[tokio::test]
async fn beside_each_other_walks_find_the_same_as_one_after_the_other() {
    let world = World::new().await;
    for _ in 0..9_000 / 250 {
        let appends = (0..250).map(|_| world.log.append(append(vec![one(stream(), 0)])));
        for appended in futures::future::join_all(appends).await {
            appended.unwrap();
        }
    }
    run(
        &world,
        &[
            "UPDATE es.event SET type = 'Other' WHERE position IN (1, 4000, 4001, 8999)",
            "DELETE FROM es.event WHERE position IN (10, 11, 5000)",
            "DELETE FROM es.batch WHERE batch_no IN (7, 8)",
        ],
    )
    .await;
    let tasks = TaskTracker::new();
    let beside = Some((tasks, NonZeroUsize::new(4).unwrap()));
    let one_by_one = world.log.verify(Verification::default(), |_| {}).await.unwrap();
    let together =
        world.log.verify(Verification { beside, ..Verification::default() }, |_| {}).await.unwrap();
    assert_eq!(together, one_by_one);
    assert!(together.faults.len() > 6, "{together:?}");
    world.end_faulty().await;
}
