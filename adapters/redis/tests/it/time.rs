//! How long things live.

use redis::AsyncCommands;
use slipstream_domain::{ConversationId, GenerationId, Seq, Timestamp, UserId};
use slipstream_projections::{CloseKind, CompatCursor, StreamState};
use slipstream_testkit::{TestServer, servers};
use uuid::Uuid;

use super::{delta, key, name, raw, state};

/// Redis rounds, and a busy machine lets a moment go by.
fn is_about(seconds: i64, expected: i64) -> bool {
    (expected - 20..=expected).contains(&seconds)
}

#[tokio::test]
async fn a_key_lives_a_day_and_ten_minutes_after_its_end() {
    let url = servers::redis_url();
    let (state, key, mut raw) = (state(&url), key(), raw(&url).await);
    state.seed(key, &[delta(1)]).await.unwrap();
    assert!(is_about(raw.ttl(name(key)).await.unwrap(), 24 * 3600));
    let () = raw.expire(name(key), 100).await.unwrap();
    for seq in 2..256 {
        state.append(key, &delta(seq)).await.unwrap();
    }
    assert!(is_about(raw.ttl(name(key)).await.unwrap(), 100), "not with every delta");
    state.append(key, &delta(256)).await.unwrap();
    assert!(is_about(raw.ttl(name(key)).await.unwrap(), 24 * 3600), "but with every 256th");
    state.ended(key).await.unwrap();
    assert!(is_about(raw.ttl(name(key)).await.unwrap(), 600));
}

fn cursor(user: UserId) -> CompatCursor {
    CompatCursor {
        user,
        connection: Uuid::new_v4(),
        socket: Uuid::new_v4(),
        fingerprint: [1; 32],
        generation: GenerationId::from_uuid(Uuid::new_v4()),
        conversation: ConversationId::from_uuid(Uuid::new_v4()),
        seq: Seq(3),
        closed: Some(CloseKind::Lost),
        at: Timestamp::from_millis(1),
    }
}

#[tokio::test]
async fn a_cursor_lives_two_minutes_and_leaves_nothing_behind() {
    let server = TestServer::redis();
    let (state, mut raw) = (state(&server.url()), raw(&server.url()).await);
    let user = UserId::from_uuid(Uuid::new_v4());
    let (gone, kept) = (cursor(user), cursor(user));
    state.put_cursor(gone).await.unwrap();
    state.put_cursor(kept).await.unwrap();
    let of = |cursor: CompatCursor| format!("stream:cursor:{{{user}}}:{}", cursor.connection);
    let index = format!("stream:cursors:{{{user}}}");
    for name in [of(gone), of(kept), index.clone()] {
        assert!(is_about(raw.ttl(&name).await.unwrap(), 120), "{name}");
    }
    // As if its time were over.
    let () = raw.del(of(gone)).await.unwrap();
    let take = || state.take_orphan(user, [1; 32], Timestamp::from_millis(0), Timestamp::from_millis(0));
    assert_eq!(take().await, Ok(Some(kept)));
    assert_eq!(take().await, Ok(None));
    let names: Vec<String> = raw.keys("*").await.unwrap();
    assert_eq!(names, [""; 0]);
}
