//! The laws of [`StreamState`].

use slipstream_domain::run::merged;
use slipstream_domain::{
    AttachmentId, ConversationId, Epoch, GenerationId, Part, Run, Seq, Timestamp, UserId,
};
use slipstream_projections::{CloseKind, CompatCursor, Output, StreamKey, StreamState, StreamStateError};
use uuid::Uuid;

/// Checks every law on one stream state.
///
/// # Panics
/// When a law is broken.
pub async fn stream_state<S: StreamState>(state: S) {
    what_was_appended_is_read_after_any_seq(&state).await;
    an_append_is_taken_once(&state).await;
    a_key_that_is_not_there_is_lost_and_seeding_makes_it(&state).await;
    seeding_replaces_what_was_there(&state).await;
    epochs_and_generations_do_not_touch_each_other(&state).await;
    every_part_comes_back_as_it_was(&state).await;
    what_has_ended_can_still_be_read(&state).await;
    the_end_of_what_is_not_there_makes_nothing(&state).await;
    an_orphan_is_taken_once_and_the_oldest_first(&state).await;
    only_ones_own_gone_and_recent_sockets_are_orphans(&state).await;
    of_many_takers_at_once_each_orphan_goes_to_one(&state).await;
}

fn key() -> StreamKey {
    StreamKey { generation: GenerationId::from_uuid(Uuid::new_v4()), epoch: Epoch::FIRST }
}

/// Two deltas of thinking, then text; "é" so that a cut at a byte would show.
fn whole() -> Vec<Output> {
    let mut outputs = vec![output(1, Part::Thinking, 0, 2)];
    outputs.extend((0..5).map(|n| output(3 + n * 3, Part::Text, n * 6, 3)));
    outputs
}

/// `count` deltas of two bytes, from `from` on.
fn output(from: u64, part: Part, offset: u64, count: u64) -> Output {
    let deltas = (0..count).map(|n| Run::delta(Seq(from + n), part, offset + n * 2, "é".into()));
    let run = merged(deltas).pop().expect("one run");
    Output { run, thinking_ms: Some(7) }
}

async fn seeded<S: StreamState>(state: &S, key: StreamKey) {
    let outputs = whole();
    let (first, rest) = outputs.split_first().expect("some output");
    state.seed(key, std::slice::from_ref(first)).await.expect("a seed is taken");
    for output in rest {
        state.append(key, output).await.expect("the next output is taken");
    }
}

async fn runs_after<S: StreamState>(state: &S, key: StreamKey, seq: u64) -> Option<Vec<Run>> {
    let outputs = state.read_after(key, Seq(seq)).await.expect("the state answers")?;
    assert!(outputs.iter().all(|output| output.thinking_ms == Some(7)));
    Some(merged(outputs.into_iter().map(|output| output.run)))
}

fn expected_after(seq: u64) -> Vec<Run> {
    merged(whole().into_iter().filter_map(|output| output.run.after(Seq(seq))))
}

async fn what_was_appended_is_read_after_any_seq<S: StreamState>(state: &S) {
    let key = key();
    seeded(state, key).await;
    for seq in 0..=18 {
        assert_eq!(runs_after(state, key, seq).await, Some(expected_after(seq)), "after {seq}");
    }
    assert_eq!(state.top(key).await.expect("the state answers"), Some(Seq(17)));
}

async fn an_append_is_taken_once<S: StreamState>(state: &S) {
    let key = key();
    seeded(state, key).await;
    for output in whole() {
        let again = state.append(key, &output).await;
        assert!(matches!(again, Err(StreamStateError::Stale)), "{again:?}");
    }
    assert_eq!(runs_after(state, key, 0).await, Some(expected_after(0)));
}

async fn a_key_that_is_not_there_is_lost_and_seeding_makes_it<S: StreamState>(state: &S) {
    let key = key();
    assert_eq!(runs_after(state, key, 0).await, None);
    assert_eq!(state.top(key).await.expect("the state answers"), None);
    let append = state.append(key, &output(3, Part::Text, 0, 3)).await;
    assert!(matches!(append, Err(StreamStateError::Lost)), "{append:?}");
    assert_eq!(runs_after(state, key, 0).await, None, "an append that was refused left something");
    state.seed(key, &whole()).await.expect("a seed is taken");
    assert_eq!(runs_after(state, key, 4).await, Some(expected_after(4)));
}

async fn seeding_replaces_what_was_there<S: StreamState>(state: &S) {
    let key = key();
    seeded(state, key).await;
    state.seed(key, &whole()[..2]).await.expect("a seed is taken");
    assert_eq!(state.top(key).await.expect("the state answers"), Some(Seq(5)));
    for output in &whole()[2..] {
        state.append(key, output).await.expect("the next output is taken");
    }
    assert_eq!(runs_after(state, key, 0).await, Some(expected_after(0)));
}

async fn epochs_and_generations_do_not_touch_each_other<S: StreamState>(state: &S) {
    let first = key();
    let second = StreamKey { epoch: first.epoch.next(), ..first };
    seeded(state, first).await;
    state.seed(second, &[output(1, Part::Text, 0, 1)]).await.expect("a seed is taken");
    seeded(state, key()).await;
    assert_eq!(state.top(first).await.expect("the state answers"), Some(Seq(17)));
    assert_eq!(state.top(second).await.expect("the state answers"), Some(Seq(1)));
}

async fn what_has_ended_can_still_be_read<S: StreamState>(state: &S) {
    let key = key();
    seeded(state, key).await;
    state.ended(key).await.expect("an end is taken");
    assert_eq!(runs_after(state, key, 8).await, Some(expected_after(8)));
}

async fn the_end_of_what_is_not_there_makes_nothing<S: StreamState>(state: &S) {
    let key = key();
    state.ended(key).await.expect("an end is taken");
    assert_eq!(state.top(key).await.expect("the state answers"), None);
}

async fn every_part_comes_back_as_it_was<S: StreamState>(state: &S) {
    let key = key();
    let image = Run::image(Seq(4), AttachmentId::from_uuid(Uuid::from_u128(9)));
    let outputs = [
        Output { run: Run::delta(Seq(2), Part::Thinking, 5, "hm\n\0".into()), thinking_ms: Some(0) },
        Output { run: Run::delta(Seq(3), Part::Text, 0, "{\"ü\"}".into()), thinking_ms: None },
        Output { run: image, thinking_ms: Some(u64::MAX - 1) },
    ];
    state.seed(key, &outputs[..1]).await.expect("a seed is taken");
    for output in &outputs[1..] {
        state.append(key, output).await.expect("the next output is taken");
    }
    assert_eq!(
        state.read_after(key, Seq::START).await.expect("the state answers").as_deref(),
        Some(&outputs[..])
    );
}

/// When the cursors of these laws are looked for, in milliseconds; so are the arguments of [`cursor`] and [`orphan`].
const NOW: i64 = 1_000_000;

fn cursor(user: UserId, fingerprint: u8, closed: Option<CloseKind>, at: i64) -> CompatCursor {
    CompatCursor {
        user,
        connection: Uuid::new_v4(),
        socket: Uuid::new_v4(),
        fingerprint: [fingerprint; 32],
        generation: GenerationId::from_uuid(Uuid::from_u128(1)),
        conversation: ConversationId::from_uuid(Uuid::from_u128(2)),
        seq: Seq(3),
        closed,
        at: Timestamp::from_millis(at),
    }
}

fn user() -> UserId {
    UserId::from_uuid(Uuid::new_v4())
}

/// The orphan of `whose` user and fingerprint, at most a minute old, with two seconds counting as silence.
async fn orphan<S: StreamState>(state: &S, whose: CompatCursor) -> Option<CompatCursor> {
    let (not_before, silent_before) =
        (Timestamp::from_millis(NOW - 60_000), Timestamp::from_millis(NOW - 2_000));
    let taken = state.take_orphan(whose.user, whose.fingerprint, not_before, silent_before).await;
    taken.expect("the state answers")
}

async fn put<S: StreamState>(state: &S, cursor: CompatCursor) -> CompatCursor {
    state.put_cursor(cursor).await.expect("a cursor is taken");
    cursor
}

async fn an_orphan_is_taken_once_and_the_oldest_first<S: StreamState>(state: &S) {
    let user = user();
    let younger = put(state, cursor(user, 1, Some(CloseKind::Lost), NOW - 10)).await;
    let older = put(state, cursor(user, 1, Some(CloseKind::Reload), NOW - 20)).await;
    let silent = put(state, cursor(user, 1, None, NOW - 5_000)).await;
    for expected in [Some(silent), Some(older), Some(younger), None] {
        assert_eq!(orphan(state, younger).await, expected);
    }
}

async fn only_ones_own_gone_and_recent_sockets_are_orphans<S: StreamState>(state: &S) {
    let (me, other) = (user(), user());
    let mine = put(state, cursor(me, 1, Some(CloseKind::Lost), NOW - 50_000)).await;
    let others = put(state, cursor(other, 1, Some(CloseKind::Lost), NOW - 55_000)).await;
    let elsewhere = put(state, cursor(me, 2, Some(CloseKind::Lost), NOW - 55_000)).await;
    put(state, cursor(me, 1, None, NOW - 1_000)).await;
    put(state, cursor(me, 1, Some(CloseKind::Lost), NOW - 61_000)).await;
    let read_on = put(state, cursor(me, 1, Some(CloseKind::Lost), NOW - 58_000)).await;
    put(state, CompatCursor { closed: None, at: Timestamp::from_millis(NOW), ..read_on }).await;
    let forgotten = put(state, cursor(me, 1, Some(CloseKind::Lost), NOW - 57_000)).await;
    state.drop_cursor(forgotten.user, forgotten.connection).await.expect("a cursor is dropped");
    assert_eq!(orphan(state, mine).await, Some(mine));
    assert_eq!(orphan(state, mine).await, None);
    assert_eq!(orphan(state, others).await, Some(others));
    assert_eq!(orphan(state, elsewhere).await, Some(elsewhere));
}

async fn of_many_takers_at_once_each_orphan_goes_to_one<S: StreamState>(state: &S) {
    let user = user();
    let mut expected = Vec::new();
    for age in 1..=3 {
        expected.push(put(state, cursor(user, 1, Some(CloseKind::Lost), NOW - age)).await);
    }
    let takers = (0..8).map(|_| orphan(state, expected[0]));
    let mut taken: Vec<_> = futures::future::join_all(takers).await.into_iter().flatten().collect();
    taken.sort_by_key(|cursor| std::cmp::Reverse(cursor.at));
    assert_eq!(taken, expected);
}
