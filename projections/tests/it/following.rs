//! Reading the log as it grows.

use std::str::FromStr;
use std::time::Duration;

use slipstream_commands::upcasters;
use slipstream_domain::{Category, Event};
use slipstream_eventlog::NewEvent;
use slipstream_projections::{FollowError, Position, follow};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{World, log_on};

#[tokio::test]
async fn a_follower_gets_every_event_once_in_order_while_others_write_and_connections_break() {
    let world = World::still().await;
    let user = world.user("a").await;
    let options = PgConnectOptions::from_str(world.url()).unwrap().application_name("follower");
    let pool = PgPoolOptions::new().connect_with(options).await.unwrap();
    let mut following = follow(&log_on(pool, upcasters()), Position::START);
    let reader = async {
        let mut seen = Vec::new();
        while seen.len() < 400 {
            // Dropping a wait loses nothing.
            match tokio::time::timeout(Duration::from_millis(3), following.next()).await {
                Ok(Ok(page)) => {
                    assert!(!page.is_empty());
                    seen.extend(page.into_iter().map(|item| item.unwrap().position.get()));
                }
                Ok(Err(gap @ FollowError::Gap { .. })) => panic!("{gap}"),
                Ok(Err(FollowError::Read(_))) | Err(_) => {}
            }
        }
        seen
    };
    let writer = async {
        for n in 0_i32..80 {
            world.exchange(user, world.new_chat(), &n.to_string(), &["x"]).await;
            if n % 10 == 0 {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE datname = current_database() AND application_name = 'follower'";
                sqlx::query(cut).execute(world.pool()).await.unwrap();
            }
        }
    };
    let (seen, ()) = tokio::join!(reader, writer);
    assert_eq!(seen, (1..=i64::try_from(seen.len()).unwrap()).collect::<Vec<_>>());
    assert_eq!(following.position().get(), *seen.last().unwrap());
    world.close().await;
}

#[tokio::test]
async fn a_follower_survives_a_read_that_fails_and_goes_on_where_it_stood() {
    let world = World::still().await;
    let user = world.user("a").await;
    world.exchange(user, world.new_chat(), "one", &["x"]).await;
    let mut following = follow(&world.log, Position::START);
    let first = following.next().await.unwrap().len();
    world.exchange(user, world.new_chat(), "two", &["x"]).await;
    world.sql("ALTER TABLE es.event RENAME TO away").await;
    assert!(matches!(following.next().await, Err(FollowError::Read(_))));
    world.sql("ALTER TABLE es.away RENAME TO event").await;
    let next = following.next().await.unwrap().remove(0).unwrap();
    assert_eq!(next.position.get(), i64::try_from(first).unwrap() + 1);
    world.close().await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_told_and_hides_no_other() {
    let world = World::still().await;
    let user = world.user("a").await;
    let posted = world.say(user, world.new_chat(), "hello").await;
    let id = posted.conversation_id.as_uuid();
    let unknown = NewEvent { event_type: "MessageSung", schema_version: 1, data: "{}".into(), sealed: None };
    let from = world.log.head().await.unwrap().position;
    let position = world.append_raw(Category::Conversation.number(), id, user, id, unknown).await;
    world.open(posted.generation_id).await;
    let page = follow(&world.log, from).next().await.unwrap();
    let bad = page[0].as_ref().unwrap_err();
    assert_eq!((bad.position, bad.correlation), (position, id));
    assert_eq!(bad.why, "unknown event type MessageSung");
    let good = page[1].as_ref().unwrap();
    assert!(matches!(good.event, Event::Generation(_)));
    assert_eq!((good.stream, good.correlation, good.version), (posted.generation_id.as_uuid(), id, 2));
    assert_eq!(good.meta.owner, Some(user));
    world.close().await;
}
