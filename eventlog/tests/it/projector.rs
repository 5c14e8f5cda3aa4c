//! Projectors: one owner at a time, checkpoints that cannot be moved by a stale one, parking, waiting.

use std::time::{Duration, Instant};

use slipstream_eventlog::{
    CorrelationId, Lease, LeaseError, Position, ProjectorId, ProjectorState, VersionState, Waited, activate,
    hold_still, parked, register, unregister,
};
use uuid::Uuid;

use crate::support::World;

const LONG: Duration = Duration::from_mins(1);

fn transcript(version: i32) -> ProjectorId {
    ProjectorId::new("transcript", version)
}

async fn known(world: &World, version: i32) {
    register(&mut world.pool().acquire().await.unwrap(), &transcript(version)).await.unwrap();
}

async fn acquire(world: &World, owner: &str, ttl: Duration) -> Option<Lease> {
    known(world, 1).await;
    Lease::acquire(world.pool(), &transcript(1), owner, ttl).await.unwrap()
}

/// Commits a checkpoint as a runner does.
async fn advance(world: &World, lease: &Lease, from: i64, to: i64) -> Result<(), LeaseError> {
    let mut transaction = world.pool().begin().await.unwrap();
    lease.advance(&mut transaction, Position::new(from), Position::new(to)).await?;
    transaction.commit().await.unwrap();
    world.log.projected(&lease.projector, Position::new(to));
    Ok(())
}

async fn position(world: &World) -> i64 {
    world.log.projectors().await.unwrap()[0].position.get()
}

#[tokio::test]
async fn a_projector_has_one_owner_until_it_is_released() {
    let world = World::new().await;
    let lease = acquire(&world, "a", LONG).await.unwrap();
    assert_eq!((lease.epoch, lease.position), (1, Position::START));
    assert_eq!(acquire(&world, "b", LONG).await, None);

    advance(&world, &lease, 0, 7).await.unwrap();
    lease.release(world.pool()).await.unwrap();

    let next = acquire(&world, "b", LONG).await.unwrap();
    assert_eq!((next.epoch, next.position.get()), (2, 7));
    world.end().await;
}

#[tokio::test]
async fn an_owner_that_comes_back_under_its_name_need_not_wait() {
    let world = World::new().await;
    let before = acquire(&world, "a", LONG).await.unwrap();
    let after = acquire(&world, "a", LONG).await.unwrap();
    assert_eq!(after.epoch, 2);
    assert!(matches!(before.renew(world.pool(), LONG).await, Err(LeaseError::Fenced)));
    world.end().await;
}

#[tokio::test]
async fn a_lease_that_is_renewed_is_kept_and_one_that_is_not_is_lost() {
    let world = World::new().await;
    let short = Duration::from_millis(400);
    let lease = acquire(&world, "a", short).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(short / 2).await;
        lease.renew(world.pool(), short).await.unwrap();
        assert_eq!(acquire(&world, "b", short).await, None);
    }
    tokio::time::sleep(short * 2).await;
    assert!(acquire(&world, "b", short).await.is_some());
    world.end().await;
}

#[tokio::test]
async fn a_stale_owner_cannot_commit() {
    let world = World::new().await;
    let stale = acquire(&world, "a", Duration::ZERO).await.unwrap();
    advance(&world, &stale, 0, 3).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let fresh = acquire(&world, "b", LONG).await.unwrap();

    assert!(matches!(advance(&world, &stale, 3, 5).await, Err(LeaseError::Fenced)));
    assert_eq!(position(&world).await, 3);
    stale.release(world.pool()).await.unwrap();
    assert_eq!(
        acquire(&world, "c", LONG).await,
        None,
        "the stale owner's release touched the fresh one's lease"
    );
    advance(&world, &fresh, 3, 5).await.unwrap();
    assert_eq!(position(&world).await, 5);
    world.end().await;
}

#[tokio::test]
async fn events_are_applied_exactly_once_because_the_checkpoint_must_be_where_it_was_left() {
    let world = World::new().await;
    let lease = acquire(&world, "a", LONG).await.unwrap();
    advance(&world, &lease, 0, 3).await.unwrap();
    assert!(matches!(advance(&world, &lease, 0, 3).await, Err(LeaseError::Fenced)));
    assert!(matches!(advance(&world, &lease, 2, 4).await, Err(LeaseError::Fenced)));
    assert_eq!(position(&world).await, 3);
    world.end().await;
}

#[tokio::test]
async fn activating_a_version_retires_the_one_before() {
    let world = World::new().await;
    for version in [1, 2] {
        known(&world, version).await;
    }
    let states = async || {
        let all = world.log.projectors().await.unwrap();
        all.into_iter().map(|projector| projector.state).collect::<Vec<_>>()
    };
    let activate = async |version| {
        let mut transaction = world.pool().begin().await.unwrap();
        let done = activate(&mut transaction, &transcript(version)).await.unwrap();
        transaction.commit().await.unwrap();
        done
    };

    assert_eq!(states().await, [ProjectorState::Building, ProjectorState::Building]);
    assert!(activate(1).await);
    assert_eq!(states().await, [ProjectorState::Active, ProjectorState::Building]);
    assert!(activate(2).await);
    assert_eq!(states().await, [ProjectorState::Retired, ProjectorState::Active]);
    assert!(!activate(3).await);
    assert_eq!(states().await, [ProjectorState::Retired, ProjectorState::Active]);
    world.end().await;
}

#[tokio::test]
async fn who_holds_the_versions_still_compares_what_nobody_moves_and_need_not_wait_for_ever() {
    let world = World::new().await;
    let lease = acquire(&world, "a", LONG).await.unwrap();
    advance(&world, &lease, 0, 4).await.unwrap();
    let mut holding = world.pool().begin().await.unwrap();
    let held = hold_still(&mut holding, "transcript").await.unwrap().unwrap();
    let seen = |version: &VersionState| (version.version, version.position.get(), version.state);
    assert_eq!(held.iter().map(seen).collect::<Vec<_>>(), [(1, 4, ProjectorState::Building)]);
    let mut second = world.pool().begin().await.unwrap();
    assert_eq!(hold_still(&mut second, "transcript").await.unwrap(), None, "the first one holds it");
    drop(second);
    let (moved, ()) = tokio::join!(advance(&world, &lease, 4, 5), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(position(&world).await, 4);
        holding.rollback().await.unwrap();
    });
    moved.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_version_that_is_forgotten_fences_its_owner_and_one_that_is_read_is_not_forgotten() {
    let world = World::new().await;
    let lease = acquire(&world, "a", LONG).await.unwrap();
    known(&world, 2).await;
    let mut connection = world.pool().acquire().await.unwrap();
    activate(&mut connection, &transcript(2)).await.unwrap();
    let correlation = CorrelationId::from_uuid(Uuid::new_v4());
    parked::park(&mut connection, &transcript(1), correlation, Position::new(9), "a").await.unwrap();

    assert!(!unregister(&mut connection, &transcript(2)).await.unwrap(), "it is read");
    assert!(unregister(&mut connection, &transcript(1)).await.unwrap());
    assert!(!unregister(&mut connection, &transcript(1)).await.unwrap(), "it is not known any more");
    assert!(parked::list(world.pool(), &transcript(1)).await.unwrap().is_empty());
    assert!(matches!(advance(&world, &lease, 0, 3).await, Err(LeaseError::Fenced)));
    assert_eq!(Lease::acquire(world.pool(), &transcript(1), "a", LONG).await.unwrap(), None);
    drop(connection);
    world.end().await;
}

#[tokio::test]
async fn a_wait_is_for_the_version_that_is_read_also_when_that_changes_meanwhile() {
    let world = World::new().await;
    let old = acquire(&world, "a", LONG).await.unwrap();
    known(&world, 2).await;
    let new = Lease::acquire(world.pool(), &transcript(2), "a", LONG).await.unwrap().unwrap();
    let mut connection = world.pool().acquire().await.unwrap();
    activate(&mut connection, &transcript(1)).await.unwrap();
    let nothing = CorrelationId::from_uuid(Uuid::new_v4());
    let wait = async |patience| {
        world.log.wait_for(&transcript(1), nothing, Position::new(5), patience).await.unwrap()
    };
    advance(&world, &new, 0, 5).await.unwrap();
    assert_eq!(wait(Duration::from_millis(30)).await, Waited::TimedOut, "the new one is not read yet");
    let (waited, ()) = tokio::join!(wait(LONG), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        activate(&mut connection, &transcript(2)).await.unwrap();
    });
    assert_eq!(waited, Waited::Reached);
    drop(old);
    drop(connection);
    world.end().await;
}

#[tokio::test]
async fn a_parked_correlation_can_be_retried_and_taken_back() {
    let world = World::new().await;
    let (first, second) =
        (CorrelationId::from_uuid(Uuid::new_v4()), CorrelationId::from_uuid(Uuid::new_v4()));
    let mut connection = world.pool().acquire().await.unwrap();
    for (correlation, position, error) in [(second, 9, "b"), (first, 4, "a"), (first, 6, "again")] {
        parked::park(&mut connection, &transcript(1), correlation, Position::new(position), error)
            .await
            .unwrap();
    }
    let list = async || parked::list(world.pool(), &transcript(1)).await.unwrap();

    let all = list().await;
    assert_eq!(all.iter().map(|parked| parked.correlation).collect::<Vec<_>>(), [first, second]);
    assert_eq!((all[0].first_position.get(), &*all[0].error), (4, "again"));
    assert!(parked::list(world.pool(), &transcript(2)).await.unwrap().is_empty());

    assert_eq!(parked::request_retry(world.pool(), &transcript(1), Some(second)).await.unwrap(), 1);
    assert_eq!(list().await.iter().map(|parked| parked.retry_requested).collect::<Vec<_>>(), [false, true]);
    assert_eq!(parked::request_retry(world.pool(), &transcript(1), None).await.unwrap(), 2);
    parked::park(&mut connection, &transcript(1), first, Position::new(4), "failed again").await.unwrap();
    assert!(!list().await[0].retry_requested);

    assert!(parked::unpark(&mut connection, &transcript(1), second).await.unwrap());
    assert!(!parked::unpark(&mut connection, &transcript(1), second).await.unwrap());
    assert_eq!(list().await.len(), 1);
    drop(connection);
    world.end().await;
}

#[tokio::test]
async fn a_wait_ends_when_the_projector_gets_there() {
    let world = World::new().await;
    let lease = acquire(&world, "a", LONG).await.unwrap();
    let correlation = CorrelationId::from_uuid(Uuid::new_v4());
    let wait = |position, patience| {
        let log = world.log.clone();
        async move { log.wait_for(&transcript(1), correlation, Position::new(position), patience).await.unwrap() }
    };
    assert_eq!(wait(1, Duration::ZERO).await, Waited::TimedOut);

    let start = Instant::now();
    let (waited, moved) = tokio::join!(wait(5, LONG), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        advance(&world, &lease, 0, 5).await
    });
    moved.unwrap();
    assert_eq!(waited, Waited::Reached);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(wait(5, Duration::ZERO).await, Waited::Reached);
    assert_eq!(wait(6, Duration::from_millis(30)).await, Waited::TimedOut);

    let mut connection = world.pool().acquire().await.unwrap();
    parked::park(&mut connection, &transcript(1), correlation, Position::new(2), "x").await.unwrap();
    drop(connection);
    assert_eq!(wait(5, LONG).await, Waited::Parked);
    world.end().await;
}
