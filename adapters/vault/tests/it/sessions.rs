//! Who is signed in.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use slipstream_commands::ports::{IssuedTicket, Sessions, SignedIn, Tickets, UserVault};
use slipstream_domain::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use crate::world::{World, somebody};

const DAY: Duration = Duration::from_hours(24);

fn user() -> UserId {
    UserId::from_uuid(somebody())
}

async fn issued(tickets: &dyn Tickets, by: SignedIn) -> SecretString {
    match tickets.issue(by, 3).await.unwrap() {
        IssuedTicket::Ticket(ticket) => ticket,
        IssuedTicket::TooMany { retry_after } => panic!("too many for {retry_after:?}"),
    }
}

#[tokio::test]
async fn a_token_is_its_users_until_its_session_is_closed() {
    let world = World::new().await;
    let sessions = world.vault().await.sessions();
    let (ann, bob) = (user(), user());
    let (one, two) = (sessions.open(ann, DAY).await.unwrap(), sessions.open(ann, DAY).await.unwrap());
    let of_bob = sessions.open(bob, DAY).await.unwrap();
    assert_ne!(one.token.expose_secret(), two.token.expose_secret());
    let found = sessions.find(&one.token).await.unwrap();
    let expected = SignedIn { user: ann, session: Some(one.id), until: Some(one.expires_at) };
    assert_eq!(found, Some(expected));
    assert_eq!(sessions.find(&SecretString::from("guessed")).await.unwrap(), None);
    let listed: Vec<_> = sessions.list(ann).await.unwrap().into_iter().map(|session| session.id).collect();
    assert_eq!(listed, [two.id, one.id]);

    assert!(!sessions.close(bob, one.id).await.unwrap(), "another user's is as unknown as none");
    assert!(!sessions.close(ann, SessionId::from_uuid(Uuid::new_v4())).await.unwrap());
    assert!(sessions.close(ann, one.id).await.unwrap());
    assert_eq!(sessions.find(&one.token).await.unwrap(), None);
    assert_eq!(sessions.close_all(ann).await.unwrap(), 1);
    assert_eq!(sessions.find(&two.token).await.unwrap(), None);
    assert_eq!(sessions.find(&of_bob.token).await.unwrap().unwrap().user, bob);
    let closed = sessions.closed_among(&[one.id, of_bob.id, two.id]).await.unwrap();
    assert_eq!(closed, [one.id, two.id]);
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
    let ticket = issued(&tickets, SignedIn::plainly(ann)).await;
    let (one, two) = tokio::join!(tickets.take(&ticket), tickets.take(&ticket));
    let taken = [one.unwrap(), two.unwrap()];
    assert_eq!(taken.iter().flatten().count(), 1, "replayed: {taken:?}");
    let late = issued(&tickets, SignedIn::plainly(ann)).await;
    world.sql("UPDATE vault.ticket SET expires_at = now()").await;
    assert_eq!(tickets.take(&late).await.unwrap(), None);
    world.end().await;
}

#[tokio::test]
async fn a_ticket_is_worth_what_it_was_issued_to() {
    let world = World::new().await;
    let (sessions, tickets) = (world.vault().await.sessions(), world.vault().await.tickets());
    let ann = user();
    let session = sessions.open(ann, DAY).await.unwrap();
    let by = sessions.find(&session.token).await.unwrap().unwrap();
    let (taken, gone) = (issued(&tickets, by).await, issued(&tickets, by).await);
    assert_eq!(tickets.take(&taken).await.unwrap(), Some(by));
    assert!(sessions.close(ann, session.id).await.unwrap());
    assert_eq!(tickets.take(&gone).await.unwrap(), None, "it goes with its session");
    let over = SignedIn { until: Some(Timestamp::from_millis(1)), ..SignedIn::plainly(ann) };
    let over = issued(&tickets, over).await;
    assert_eq!(tickets.take(&over).await.unwrap(), None, "what it was issued to is over");
    world.end().await;
}

#[tokio::test]
async fn a_user_has_so_many_tickets_until_they_are_used_or_expire() {
    let world = World::new().await;
    let tickets = world.vault().await.tickets();
    let ann = SignedIn::plainly(user());
    let first = issued(&tickets, ann).await;
    for _ in 0..2 {
        issued(&tickets, ann).await;
    }
    let more = tickets.issue(ann, 3).await.unwrap();
    let IssuedTicket::TooMany { retry_after } = more else { panic!("{more:?}") };
    assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(30), "{retry_after:?}");
    issued(&tickets, SignedIn::plainly(user())).await;
    tickets.take(&first).await.unwrap().unwrap();
    issued(&tickets, ann).await;
    world.sql("UPDATE vault.ticket SET expires_at = now()").await;
    issued(&tickets, ann).await;
    world.end().await;
}

#[tokio::test]
async fn nothing_that_is_kept_is_a_token_and_nothing_is_kept_of_who_is_destroyed() {
    let world = World::new().await;
    let vault = world.vault().await;
    let ann = user();
    let session = vault.sessions().open(ann, DAY).await.unwrap();
    let ticket = issued(&vault.tickets(), SignedIn::plainly(ann)).await;
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
