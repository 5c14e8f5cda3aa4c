//! So many messages a day on the operator's keys.

use std::time::Duration;

use slipstream_commands::{CommandError, Place, PostRequest, Posted, post_message};
use slipstream_domain::{OnBusy, ProviderId, UserId};

use crate::world::{World, openai, says};

const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);

fn asks(world: &World, actor: UserId, provider: ProviderId) -> PostRequest {
    let place = Place::New(world.app.new_conversation_id());
    PostRequest { provider, ..says(actor, place, "hello", OnBusy::Queue) }
}

async fn ask(world: &World, actor: UserId) -> Result<Posted, CommandError> {
    post_message(&world.app, asks(world, actor, openai())).await
}

/// When the next one is free.
fn refused(asked: &Result<Posted, CommandError>) -> Option<Duration> {
    match asked {
        Err(CommandError::FreeLimit { retry_after, .. }) => Some(*retry_after),
        Ok(_) => None,
        Err(other) => panic!("{other:?}"),
    }
}

async fn used(world: &World, user: UserId) -> usize {
    world.events(user.as_uuid()).await.iter().filter(|name| *name == "FreeMessageUsed").count()
}

#[tokio::test]
async fn the_last_one_goes_to_one_of_two_that_want_it_at_once() {
    let world = World::with_free_messages(3).await;
    let other = world.another();
    let (ann, bob) = (world.user("ann@example.com").await, world.user("bob@example.com").await);
    ask(&world, ann).await.unwrap();
    ask(&world, ann).await.unwrap();
    let (a, b) = tokio::join!(ask(&world, ann), ask(&other, ann));
    let refused: Vec<_> = [&a, &b].into_iter().filter_map(refused).collect();
    let [retry_after] = refused.as_slice() else { panic!("{a:?} {b:?}") };
    assert!(*retry_after <= DAY && *retry_after + MINUTE > DAY, "{retry_after:?}");
    assert_eq!(used(&world, ann).await, 3);
    ask(&world, bob).await.unwrap();
}

#[tokio::test]
async fn a_message_and_what_pays_for_it_are_one_append() {
    let world = World::with_free_messages(3).await;
    let ann = world.user("ann@example.com").await;
    let asked = ask(&world, ann).await.unwrap();
    let request = &world.stream(asked.generation_id.as_uuid()).await[0];
    let paid = world.stream(ann.as_uuid()).await.pop().unwrap();
    assert_eq!((&*paid.event_type, paid.command_id), ("FreeMessageUsed", request.command_id));
    assert!(paid.payload.unwrap().data.contains(&asked.generation_id.to_string()));
}

#[tokio::test]
async fn after_a_day_a_used_message_counts_no_more() {
    let world = World::with_free_messages(1).await;
    let ann = world.user("ann@example.com").await;
    ask(&world, ann).await.unwrap();
    world.clock.put_forward(23 * 60 * MINUTE + 55 * MINUTE);
    let retry_after = refused(&ask(&world, ann).await).unwrap();
    assert!(retry_after <= 5 * MINUTE, "{retry_after:?}");
    world.clock.put_forward(5 * MINUTE);
    ask(&world, ann).await.unwrap();
}

#[tokio::test]
async fn what_the_operator_does_not_pay_for_is_not_counted() {
    let world = World::with_free_messages(1).await;
    let ann = world.user("ann@example.com").await;
    for provider in ["simulated", "my-ollama", "anthropic"] {
        let request = asks(&world, ann, ProviderId::parse(provider).unwrap());
        post_message(&world.app, request).await.unwrap();
    }
    assert_eq!(used(&world, ann).await, 0);
    ask(&world, ann).await.unwrap();
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    ask(&world, ann).await.unwrap();
    assert_eq!(used(&world, ann).await, 0);
}

#[tokio::test]
async fn a_message_that_is_repeated_is_paid_for_once() {
    let world = World::with_free_messages(1).await;
    let ann = world.user("ann@example.com").await;
    let mut request = asks(&world, ann, openai());
    request.client_message_id = Some("c-1".into());
    let first = post_message(&world.app, request.clone()).await.unwrap();
    assert_eq!(post_message(&world.app, request).await.unwrap(), first);
}

#[tokio::test]
async fn what_waits_is_paid_for_when_it_is_sent_and_withdrawn_when_nothing_is_left() {
    let world = World::with_free_messages(2).await;
    let ann = world.user("ann@example.com").await;
    let first = ask(&world, ann).await.unwrap();
    let place = Place::In(first.conversation_id);
    let mut waiting = Vec::new();
    for provider in [openai(), openai(), ProviderId::simulated()] {
        let request = PostRequest { provider, ..says(ann, place, "and?", OnBusy::Queue) };
        waiting.push(post_message(&world.app, request).await.unwrap());
    }
    assert_eq!(used(&world, ann).await, 1);
    world.complete(first.generation_id).await;
    assert_eq!(used(&world, ann).await, 2);
    world.complete(waiting[0].generation_id).await;
    assert_eq!(used(&world, ann).await, 2);
    let events = world.stream(first.conversation_id.as_uuid()).await;
    let [.., ended, withdrawn, posted, requested] = events.as_slice() else { panic!("{events:?}") };
    let names = [ended, withdrawn, posted, requested].map(|event| event.event_type.to_string());
    assert_eq!(names, ["ReplyRecorded", "QueuedMessageWithdrawn", "UserMessagePosted", "ReplyRequested"]);
    assert!(withdrawn.payload.as_ref().unwrap().data.contains("free_limit"));
    world.complete(waiting[2].generation_id).await;
}
