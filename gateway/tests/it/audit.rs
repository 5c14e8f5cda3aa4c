//! What an auditor is told over HTTP, and what is recorded of that.

use serde_json::Value;
use slipstream_commands::{assign_role, register_user};
use slipstream_domain::event::{AuditEvent, RegistrationVia, UserRole};
use slipstream_domain::{EmailAddress, Event, UserId};
use slipstream_projections::{Position, decode};

use crate::http::get;
use crate::world::World;

const AUDITOR: &str = "auditor@example.com";

async fn auditor(world: &World) -> UserId {
    let email = EmailAddress::parse(AUDITOR).unwrap();
    let user = register_user(&world.app, &email, RegistrationVia::Development, None).await.unwrap();
    assign_role(&world.app, user, UserRole::Auditor).await.unwrap();
    user
}

/// A conversation of somebody else's, with a whole exchange.
async fn exchange(world: &World) -> String {
    world.exchange(&mut world.v1("a@example.com").await).await
}

fn path(id: &str, as_of: Option<&str>, email: &str) -> String {
    let as_of = as_of.map(|moment| format!("&asOf={moment}")).unwrap_or_default();
    format!("/v1/audit/conversations/{id}/events?email={email}{as_of}")
}

/// Each event on its line; what frames the body as it is sent is none.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Who has read what up to where, as the log has it.
async fn reads(world: &World) -> Vec<(Option<UserId>, String, i64)> {
    let all = world.app.log().feed(Position::START, 10_000).await.unwrap();
    let read = all.iter().filter_map(|event| match decode(event).ok()?.event {
        Event::Audit(AuditEvent::AuditRead(read)) => {
            Some((read.actor, read.conversation_id.to_string(), read.as_of))
        }
        Event::Audit(AuditEvent::LogSigned(_))
        | Event::User(_)
        | Event::Email(_)
        | Event::Conversation(_)
        | Event::Generation(_)
        | Event::Attachment(_) => None,
    });
    read.collect()
}

#[tokio::test]
async fn an_auditor_is_told_every_event_as_of_any_moment_and_each_read_is_recorded() {
    let world = World::start().await;
    let user = auditor(&world).await;
    let id = exchange(&world).await;
    let whole = get(world.address, &path(&id, None, AUDITOR)).await;
    assert_eq!(
        (whole.status, whole.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{}",
        whole.body
    );
    let all = events(&whole.body);
    assert_eq!(all[0]["type"], "ConversationStarted");
    assert_eq!(all.last().unwrap()["type"], "ReplyRecorded");
    assert_eq!(all[1]["sealed"]["text"], "hello there");
    let as_of: i64 = whole.header("x-as-of").unwrap().parse().unwrap();
    assert_eq!(reads(&world).await, [(Some(user), id.clone(), as_of)]);

    let middle = all.len() / 2;
    let position = all[middle]["position"].to_string();
    let half = get(world.address, &path(&id, Some(&position), AUDITOR)).await;
    assert_eq!(events(&half.body), all[..=middle]);
    let then = get(world.address, &path(&id, all.last().unwrap()["recordedAt"].as_str(), AUDITOR)).await;
    let then = events(&then.body);
    assert_eq!(then, all[..then.len()]);
    assert_eq!(reads(&world).await.len(), 3);
    assert_eq!(reads(&world).await[1], (Some(user), id, position.parse().unwrap()));
    world.end().await;
}

#[tokio::test]
async fn who_is_no_auditor_is_told_nothing_and_wrong_moments_are_named() {
    let world = World::start().await;
    auditor(&world).await;
    let id = exchange(&world).await;
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    for (path, status, detail) in [
        (path(&id, None, "a@example.com"), 403, "only who has the role auditor may do this"),
        (path(&id, None, ""), 401, ""),
        (path(unknown, None, AUDITOR), 404, "there is no conversation"),
        (path("home", None, AUDITOR), 404, "there is no such conversation"),
        (path(&id, Some("0"), AUDITOR), 404, "began at position"),
        (path(&id, Some("2020-01-01T00:00:00Z"), AUDITOR), 404, "began at position"),
        (path(&id, Some("999999"), AUDITOR), 400, "has not come yet"),
        (path(&id, Some("2999-01-01T00:00:00Z"), AUDITOR), 400, "is in the future"),
        (path(&id, Some("yesterday"), AUDITOR), 400, "neither a position"),
    ] {
        let refused = get(world.address, &path).await;
        let problem = refused.json();
        assert_eq!(refused.status, status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{path}: {problem}");
    }
    assert_eq!(reads(&world).await, [], "nothing was read");
    world.end().await;
}
