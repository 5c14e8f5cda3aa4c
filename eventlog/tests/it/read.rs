//! Reading back: streams, correlations, points in time, open streams.

use std::{collections::BTreeSet, time::Duration};

use slipstream_eventlog::{Category, CorrelationId, OwnerId, Position, Recorded, StreamAppend, Version};
use uuid::Uuid;

use crate::support::{
    CATEGORY, World, append, command, correlation_of, event, grow, one, stream, to, whole_feed,
};

fn positions(events: &[Recorded]) -> Vec<i64> {
    events.iter().map(|event| event.position.get()).collect()
}

#[tokio::test]
async fn an_envelope_is_read_as_it_was_written() {
    let world = World::new().await;
    let (s, owner) = (stream(), OwnerId::from_uuid(Uuid::new_v4()));
    let correlation = CorrelationId::from_uuid(Uuid::new_v4());
    grow(&world.log, stream(), 1).await;
    let mut written = append(vec![StreamAppend {
        owner: Some(owner),
        correlation,
        causation: Some(Position::new(1)),
        ..to(s, 0, vec![event()])
    }]);
    written.command_id = command();
    let answer = world.log.append(written.clone()).await.unwrap();

    let read = world.log.read_stream(s, Version::NONE).await.unwrap().remove(0);

    assert_eq!((read.position, read.stream, read.version), (answer.first, s, Version::new(1)));
    assert_eq!((read.category, read.owner, read.correlation), (CATEGORY, Some(owner), correlation));
    assert_eq!((read.causation, read.command_id), (Some(Position::new(1)), written.command_id));
    assert_eq!((&*read.event_type, read.schema_version), ("Happened", 1));
    assert_eq!(read.recorded_at, answer.recorded_at);
    world.end().await;
}

#[tokio::test]
async fn a_stream_is_read_from_any_version_and_several_in_log_order() {
    let world = World::new().await;
    let (a, b, other) = (stream(), stream(), stream());
    for (stream, version) in [(a, 0), (other, 0), (b, 0), (a, 1), (b, 1), (a, 2)] {
        world.log.append(append(vec![one(stream, version)])).await.unwrap();
    }

    let read = |after| world.log.read_stream(a, Version::new(after));
    assert_eq!(positions(&read(0).await.unwrap()), [1, 4, 6]);
    assert_eq!(positions(&read(2).await.unwrap()), [6]);
    assert_eq!(positions(&read(3).await.unwrap()), [0_i64; 0]);
    assert!(world.log.read_stream(stream(), Version::NONE).await.unwrap().is_empty());
    let streams = [b, a, stream()];
    let both = |up_to| world.log.read_streams(&streams, Position::new(up_to));
    assert!(world.log.read_streams(&[], Position::new(9)).await.unwrap().is_empty());
    assert_eq!(positions(&both(9).await.unwrap()), [1, 3, 4, 5, 6]);
    assert_eq!(positions(&both(4).await.unwrap()), [1, 3, 4]);
    world.end().await;
}

#[tokio::test]
async fn the_history_of_a_correlation_can_be_read_as_of_any_time() {
    let world = World::new().await;
    let (conversation, generation) = (stream(), stream());
    let of_conversation =
        |append: StreamAppend| StreamAppend { correlation: correlation_of(conversation), ..append };
    let mut answers = Vec::new();
    for (stream, version) in [(conversation, 0), (generation, 0), (generation, 1), (conversation, 1)] {
        grow(&world.log, crate::support::stream(), 1).await;
        answers.push(world.log.append(append(vec![of_conversation(one(stream, version))])).await.unwrap());
    }
    let history = async |up_to| {
        let read = world.log.read_correlation(correlation_of(conversation), Position::START, up_to).await;
        positions(&read.unwrap())
    };

    for (known, answer) in answers.iter().enumerate() {
        let as_of = world.log.position_at(answer.recorded_at).await.unwrap();
        assert_eq!(as_of, answer.last);
        assert_eq!(history(as_of).await, [2, 4, 6, 8][..=known]);
        let just_before = world.log.position_at(answer.recorded_at - Duration::from_micros(1)).await.unwrap();
        assert_eq!(just_before.get(), answer.first.get() - 1);
    }
    let long_ago = world.log.position_at(answers[0].recorded_at - Duration::from_hours(1)).await.unwrap();
    assert_eq!(long_ago, Position::START);
    let after = world
        .log
        .read_correlation(correlation_of(conversation), Position::new(4), Position::new(7))
        .await
        .unwrap();
    assert_eq!(positions(&after), [6]);
    world.end().await;
}

#[tokio::test]
async fn every_moment_has_its_position() {
    let world = World::new().await;
    assert_eq!(world.log.position_at(time::OffsetDateTime::UNIX_EPOCH).await.unwrap(), Position::START);
    for _ in 0..37 {
        grow(&world.log, stream(), 2).await;
    }
    for event in whole_feed(&world.log).await {
        let position = world.log.position_at(event.recorded_at).await.unwrap().get();
        assert_eq!(position, event.position.get() + event.position.get() % 2);
    }
    world.end().await;
}

#[tokio::test]
async fn open_streams_are_listed_in_pages_until_they_are_closed() {
    let world = World::new().await;
    let owner = Some(OwnerId::from_uuid(Uuid::new_v4()));
    let mut open = BTreeSet::new();
    for n in 0..10 {
        let s = stream();
        grow(&world.log, s, 1).await;
        let mut last = StreamAppend { owner, close: n % 3 == 0, ..one(s, 1) };
        last.events.push(event());
        world.log.append(append(vec![last])).await.unwrap();
        if n % 3 != 0 {
            open.insert(s);
        }
    }

    let mut listed = Vec::new();
    loop {
        let after = listed.last().map(|open: &slipstream_eventlog::OpenStream| open.stream);
        let page = world.log.open_streams(CATEGORY, after, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }

    assert!(listed.iter().map(|open| open.stream).eq(open));
    let feed = whole_feed(&world.log).await;
    for open in listed {
        assert_eq!((open.version.get(), open.owner), (3, owner));
        assert_eq!(open.last_position.get(), open.first_position.get() + 2);
        let newest = feed.iter().find(|event| event.position == open.last_position).unwrap();
        assert_eq!((newest.stream, newest.recorded_at), (open.stream, open.last_recorded_at));
    }
    assert!(world.log.open_streams(Category(9), None, 4).await.unwrap().is_empty());
    world.end().await;
}
