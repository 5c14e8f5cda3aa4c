//! Who is signed in.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use slipstream_commands::ports::{Sessions, Tickets, UserVault};
use slipstream_domain::{SessionId, UserId};
use uuid::Uuid;

use crate::world::{World, somebody};

const DAY: Duration = Duration::from_hours(24);

fn user() -> UserId {
    UserId::from_uuid(somebody())
}

#[tokio::test]
async fn a_token_is_its_users_until_its_session_is_closed() {
    let world = World::new().await;
    let sessions = world.vault().await.sessions();
    let (ann, bob) = (user(), user());
    let (one, two) = (sessions.open(ann, DAY).await.unwrap(), sessions.open(ann, DAY).await.unwrap());
    let of_bob = sessions.open(bob, DAY).await.unwrap();
    assert_ne!(one.token.expose_secret(), two.token.expose_secret());
    assert_eq!(sessions.find(&one.token).await.unwrap(), Some(ann));
    assert_eq!(sessions.find(&SecretString::from("guessed")).await.unwrap(), None);
    let listed: Vec<_> = sessions.list(ann).await.unwrap().into_iter().map(|session| session.id).collect();
    assert_eq!(listed, [two.id, one.id]);

    assert!(!sessions.close(bob, one.id).await.unwrap(), "another user's is as unknown as none");
    assert!(!sessions.close(ann, SessionId::from_uuid(Uuid::new_v4())).await.unwrap());
    assert!(sessions.close(ann, one.id).await.unwrap());
    assert_eq!(sessions.find(&one.token).await.unwrap(), None);
    assert_eq!(sessions.close_all(ann).await.unwrap(), 1);
    assert_eq!(sessions.find(&two.token).await.unwrap(), None);
    assert_eq!(sessions.find(&of_bob.token).await.unwrap(), Some(bob));
    world.end().await;
}

#[tokio::test]
async fn an_expired_session_is_none_and_goes_with_the_next_one() {
    let world = World::new().await;
    let sessions = world.vault().await.sessions();
    let ann = user();
    let opened = sessions.open(ann, DAY).await.unwrap();
    world.sql("UPDATE vault.session SET expires_at = now()").await;
    assert_eq!(sessions.find(&opened.token).await.unwrap(), None);
    assert_eq!(sessions.list(ann).await.unwrap(), []);
    assert!(!sessions.close(ann, opened.id).await.unwrap());
    sessions.open(ann, DAY).await.unwrap();
    assert_eq!(world.sql("SELECT FROM vault.session").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_ticket_is_good_once_and_for_a_moment() {
    let world = World::new().await;
    let tickets = world.vault().await.tickets();
    let ann = user();
    let ticket = tickets.issue(ann).await.unwrap();
    let (one, two) = tokio::join!(tickets.take(&ticket), tickets.take(&ticket));
    let taken = [one.unwrap(), two.unwrap()];
    assert_eq!(taken.iter().flatten().count(), 1, "replayed: {taken:?}");
    let late = tickets.issue(ann).await.unwrap();
    world.sql("UPDATE vault.ticket SET expires_at = now()").await;
    assert_eq!(tickets.take(&late).await.unwrap(), None);
    world.end().await;
}

#[tokio::test]
async fn nothing_that_is_kept_is_a_token_and_nothing_is_kept_of_who_is_destroyed() {
    let world = World::new().await;
    let vault = world.vault().await;
    let ann = user();
    let session = vault.sessions().open(ann, DAY).await.unwrap();
    let ticket = vault.tickets().issue(ann).await.unwrap();
    for (table, token) in [("session", &session.token), ("ticket", &ticket)] {
        let sql = format!("SELECT count(*) FROM vault.{table} AS row WHERE row::text LIKE '%' || $1 || '%'");
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(token.expose_secret())
            .fetch_one(world.database.pool())
            .await
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
    vault.destroy(ann).await.unwrap();
    assert_eq!(vault.sessions().find(&session.token).await.unwrap(), None);
    assert_eq!(vault.tickets().take(&ticket).await.unwrap(), None);
    world.end().await;
}
