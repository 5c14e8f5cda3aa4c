//! What is written, and what is refused.

use slipstream_eventlog::{
    Append, AppendError, Category, DataFault, EVENT_OVERHEAD, Expected, Guard, InvalidAppend, LogOptions,
    MAX_APPEND_BYTES, NewEvent, Position, Unavailable, Version,
};

use crate::support::{
    World, append, at, command, event, grow, guarded, kill_appenders, one, stream, to, together, whole_feed,
    with_data,
};

#[tokio::test]
async fn an_append_is_answered_with_its_positions_and_versions() {
    let world = World::new().await;
    let (first, second) = (stream(), stream());

    let made =
        world.log.append(append(vec![to(first, 0, vec![event(), event()]), one(second, 0)])).await.unwrap();
    let grown = world.log.append(append(vec![one(first, 2)])).await.unwrap();

    assert_eq!((made.first.get(), made.last.get()), (1, 3));
    assert_eq!(made.versions, [(first, Version::new(2)), (second, Version::new(1))]);
    assert_eq!((grown.first.get(), grown.last.get()), (4, 4));
    assert_eq!(grown.versions, [(first, Version::new(3))]);
    assert!(grown.recorded_at > made.recorded_at);
    world.end().await;
}

#[tokio::test]
async fn a_stream_that_has_moved_is_a_conflict_that_says_where_it_is() {
    let world = World::new().await;
    let moved = stream();
    grow(&world.log, moved, 2).await;

    for expected in [Expected::NoStream, at(1), at(3)] {
        let mut stale = one(moved, 0);
        stale.expected = expected;
        let refused = world.log.append(append(vec![stale])).await.unwrap_err();
        assert!(
            matches!(refused, AppendError::Conflict { stream, actual } if stream == moved && actual.get() == 2)
        );
    }
    assert_eq!(world.log.head().await.unwrap().position.get(), 2);
    world.end().await;
}

#[tokio::test]
async fn an_append_over_several_streams_is_written_whole_or_not_at_all() {
    let world = World::new().await;
    let (old, new) = (stream(), stream());
    grow(&world.log, old, 1).await;

    let refused = world.log.append(append(vec![one(new, 0), one(old, 7)])).await.unwrap_err();

    assert!(matches!(refused, AppendError::Conflict { stream, .. } if stream == old));
    assert!(world.log.read_stream(new, Version::NONE).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_guard_holds_only_while_its_stream_has_not_moved() {
    let world = World::new().await;
    let (user, absent) = (stream(), stream());
    grow(&world.log, user, 3).await;

    world.log.append(guarded(vec![one(stream(), 0)], user, 3)).await.unwrap();
    world.log.append(guarded(vec![one(stream(), 0)], absent, 0)).await.unwrap();
    for (guard, version, actual) in [(user, 2, 3), (user, 4, 3), (absent, 1, 0)] {
        let refused = world.log.append(guarded(vec![one(stream(), 0)], guard, version)).await.unwrap_err();
        assert!(
            matches!(refused, AppendError::Conflict { stream, actual: is } if stream == guard && is.get() == actual)
        );
    }
    world.end().await;
}

#[tokio::test]
async fn racing_appends_guarding_each_others_streams_never_both_win() {
    let world = World::new().await;
    let other = world.another(LogOptions::default());
    for _ in 0..20 {
        let (left, right) = (stream(), stream());
        let race = [
            (world.log.clone(), guarded(vec![one(left, 0)], right, 0)),
            (other.log.clone(), guarded(vec![one(right, 0)], left, 0)),
        ];
        let answers = together(race.map(|(log, append)| async move { log.append(append).await })).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    }
    other.stop().await;
    world.end().await;
}

#[tokio::test]
async fn a_closed_stream_takes_no_more_events_and_can_still_be_guarded() {
    let world = World::new().await;
    let ended = stream();
    let mut last = to(ended, 0, vec![event()]);
    last.close = true;
    world.log.append(append(vec![last])).await.unwrap();

    let refused = world.log.append(append(vec![one(ended, 1)])).await.unwrap_err();

    assert!(matches!(refused, AppendError::Closed { stream } if stream == ended));
    world.log.append(guarded(vec![one(stream(), 0)], ended, 1)).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_repeated_command_writes_nothing_and_is_answered_as_the_first_time() {
    let world = World::new().await;
    let (left, right) = (stream(), stream());
    let first = append(vec![to(left, 0, vec![event(), event()]), one(right, 0)]);
    let written = world.log.append(first.clone()).await.unwrap();
    grow(&world.log, stream(), 1).await;

    // A repeat is known by its command, whatever it holds and whatever has happened to the stream.
    let other_content = Append { streams: vec![one(right, 1)], ..first.clone() };
    for repeat in [first.clone(), other_content] {
        match world.log.append(repeat).await {
            Err(AppendError::Duplicate(recorded)) => assert_eq!(recorded, written),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.log.command(first.command_id).await.unwrap(), Some(written));
    assert_eq!(world.log.command(command()).await.unwrap(), None);
    assert_eq!(world.log.head().await.unwrap().position.get(), 4);
    world.end().await;
}

#[tokio::test]
async fn of_many_concurrent_repeats_over_several_logs_one_is_written() {
    let world = World::new().await;
    let other = world.another(LogOptions::default());
    let repeated = append(vec![one(stream(), 0)]);

    let logs = [world.log.clone(), other.log.clone()];
    let race = (0..32).map(|n| (logs[n % 2].clone(), repeated.clone()));
    let answers = together(race.map(|(log, append)| async move { log.append(append).await })).await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| match answer {
        Ok(recorded) | Err(AppendError::Duplicate(recorded)) => recorded.first.get() == 1,
        Err(_) => false,
    }));
    assert_eq!(whole_feed(&world.log).await.len(), 1);
    other.stop().await;
    world.end().await;
}

#[tokio::test]
async fn an_append_whose_connection_was_cut_is_sent_again_and_written_once() {
    let world = World::new().await;
    let growing = stream();
    for version in 0..20 {
        kill_appenders(world.pool()).await;
        let written = world.log.append(append(vec![one(growing, version)])).await.unwrap();
        assert_eq!(written.first.get(), version + 1);
    }
    world.end().await;
}

#[tokio::test]
async fn a_malformed_append_is_refused_by_name_of_what_is_wrong() {
    let world = World::new().await;
    let s = stream();
    let data = |text: &str| append(vec![to(s, 0, vec![event(), with_data(text)])]);
    let bad_data = |fault| InvalidAppend::Data { stream: 0, event: 1, fault };
    let version = |schema_version| append(vec![to(s, 0, vec![NewEvent { schema_version, ..event() }])]);
    let bad_version = InvalidAppend::SchemaVersion { stream: 0, event: 0 };

    for (wrong, fault) in [
        (append(vec![]), InvalidAppend::NoStreams),
        (append(vec![to(s, 0, vec![])]), InvalidAppend::NoEvents(s)),
        (append(vec![one(s, 0), one(s, 1)]), InvalidAppend::DuplicateStream(s)),
        (guarded(vec![one(s, 0)], s, 0), InvalidAppend::GuardedAndWritten(s)),
        (version(0), bad_version.clone()),
        (version(40_000), bad_version),
        (data("{"), bad_data(DataFault::NotJson)),
        (data("7"), bad_data(DataFault::NotAnObject)),
        (data(r#"{"a":"\u0000"}"#), bad_data(DataFault::Nul)),
        (data(r#"{"a":9007199254740993}"#), bad_data(DataFault::BigInteger)),
    ] {
        match world.log.append(wrong).await {
            Err(AppendError::Invalid(found)) => assert_eq!(found, fault),
            other => panic!("{fault:?}: {other:?}"),
        }
    }
    assert_eq!(world.log.head().await.unwrap().position, Position::START);
    world.end().await;
}

#[tokio::test]
async fn an_append_may_hold_a_mebibyte_and_not_a_byte_more() {
    let world = World::new().await;
    let data = event().data;
    let fits = MAX_APPEND_BYTES - EVENT_OVERHEAD - data.len();
    let with_sealed = |bytes: usize| {
        let sealed = Some(vec![b'x'; bytes]);
        append(vec![to(stream(), 0, vec![NewEvent { data: data.clone(), sealed, ..event() }])])
    };

    world.log.append(with_sealed(fits)).await.unwrap();
    let refused = world.log.append(with_sealed(fits + 1)).await.unwrap_err();

    assert!(
        matches!(refused, AppendError::Invalid(InvalidAppend::TooLarge { bytes }) if bytes == MAX_APPEND_BYTES + 1)
    );
    world.end().await;
}

#[tokio::test]
async fn a_stream_keeps_its_category() {
    let world = World::new().await;
    let user = stream();
    grow(&world.log, user, 1).await;
    let mut other = one(user, 1);
    other.category = Category(2);

    let refused = world.log.append(append(vec![other])).await.unwrap_err();

    assert!(matches!(refused, AppendError::Invalid(InvalidAppend::OtherCategory(stream)) if stream == user));
    world.end().await;
}

#[tokio::test]
async fn data_the_database_refuses_hurts_only_its_own_append() {
    let world = World::new().await;
    // A type with U+0000 passes the codec, which looks at data, and not PostgreSQL.
    let poison = || append(vec![to(stream(), 0, vec![NewEvent { event_type: "Bad\0", ..event() }])]);
    let crowd = (0..100).map(|n| if n % 20 == 7 { poison() } else { append(vec![one(stream(), 0)]) });
    let log = world.log.clone();

    let answers = together(crowd.map(|append| {
        let log = log.clone();
        async move { log.append(append).await }
    }))
    .await;

    for (answer, n) in answers.into_iter().zip(0..) {
        match answer {
            Ok(_) => assert_ne!(n % 20, 7),
            Err(AppendError::Invalid(InvalidAppend::Refused { sqlstate })) => {
                assert_eq!((n % 20, &*sqlstate), (7, "22021"));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(whole_feed(&world.log).await.len(), 95);
    world.end().await;
}

#[tokio::test]
async fn the_order_of_one_callers_queued_appends_is_kept() {
    let world = World::new().await;
    let growing = stream();
    // All are queued before the first is written; each expects the one before.
    let queued = (0..50).map(|version| world.log.append(append(vec![one(growing, version)])));
    let mut queued: Vec<_> = queued.map(Box::pin).collect();
    for append in &mut queued {
        assert!(futures::poll!(append).is_pending());
    }
    for (append, position) in queued.into_iter().zip(1..) {
        assert_eq!(append.await.unwrap().first.get(), position);
    }
    world.end().await;
}

#[tokio::test]
async fn a_log_that_is_stopping_writes_what_is_queued_and_refuses_the_rest() {
    let world = World::new().await;
    let mut queued: Vec<_> =
        (0..50).map(|_| Box::pin(world.log.append(append(vec![one(stream(), 0)])))).collect();
    for append in &mut queued {
        assert!(futures::poll!(append).is_pending());
    }
    let (log, pool) = (world.log.clone(), world.pool().clone());
    let stopping = world.running.tasks.clone();
    let stop = world.running.stop();
    let (answers, ()) = tokio::join!(futures::future::join_all(queued), stop);

    assert!(answers.iter().all(Result::is_ok));
    assert!(stopping.is_empty());
    let refused = log.append(append(vec![one(stream(), 0)])).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(Unavailable::Stopping)));
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM es.event").fetch_one(&pool).await.unwrap();
    assert_eq!(written, 50);
    drop(pool);
    world.database.drop().await;
}

#[tokio::test]
async fn the_database_refuses_to_append_under_any_other_isolation() {
    let world = World::new().await;
    let calls = [("append_batch", 26), ("append_one", 16)];
    for (isolation, (function, arguments)) in ["REPEATABLE READ", "SERIALIZABLE"]
        .into_iter()
        .flat_map(|isolation| calls.map(|call| (isolation, call)))
    {
        let mut transaction = world.pool().begin().await.unwrap();
        let set = sqlx::AssertSqlSafe(format!("SET TRANSACTION ISOLATION LEVEL {isolation}"));
        sqlx::query(set).execute(&mut *transaction).await.unwrap();
        let arguments = vec!["NULL"; arguments].join(", ");
        let call = sqlx::AssertSqlSafe(format!("SELECT * FROM es.{function}({arguments})"));
        let refused = sqlx::query(call).execute(&mut *transaction).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "25000");
    }
    world.end().await;
}

#[tokio::test]
async fn a_guard_may_name_several_streams() {
    let world = World::new().await;
    let (a, b) = (stream(), stream());
    grow(&world.log, a, 1).await;
    let both = |version_of_b| Append {
        guards: vec![
            Guard { stream: a, version: Version::new(1) },
            Guard { stream: b, version: Version::new(version_of_b) },
        ],
        ..append(vec![one(stream(), 0)])
    };

    assert!(world.log.append(both(1)).await.is_err());
    assert!(world.log.append(both(0)).await.is_ok());
    world.end().await;
}
