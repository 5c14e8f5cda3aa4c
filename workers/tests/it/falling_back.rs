//! Another model answers when the one asked cannot be had, and only then.

use std::time::Duration;

use slipstream_commands::Place;
use slipstream_domain::event::AnsweredBy;
use slipstream_domain::{ErrorClass, ModelId, ProviderId, TerminalStatus};
use slipstream_providers::{ProviderError, Turn};
use slipstream_testkit::{Line, ScriptedProvider};
use slipstream_workers::{Fallback, Settings};

use crate::world::{Ended, World, say, stop, think};

fn grok() -> ProviderId {
    ProviderId::parse("grok").unwrap()
}

/// A world whose `openai` follows one script and whose `grok` others, and in which grok answers for openai.
async fn world(
    openai: Vec<Vec<Line>>,
    replies: impl IntoIterator<Item = Vec<Line>>,
) -> (World, ScriptedProvider) {
    let world = World::new(openai).await;
    let other = ScriptedProvider::new(grok(), replies);
    let fallback = Fallback { provider: grok(), model: ModelId::parse("grok-3").unwrap() };
    let fallbacks = [(ProviderId::parse("openai").unwrap(), fallback)].into();
    let providers = world
        .providers(&slipstream_providers::Settings::default())
        .with(std::sync::Arc::new(world.provider.clone()))
        .with(std::sync::Arc::new(other.clone()));
    let settings = Settings { fallbacks, ..Settings::default() };
    world.started(world.worker_asking(providers, world.queue.clone(), settings));
    (world, other)
}

async fn hello(world: &World) -> Ended {
    let new = Place::New(world.app.new_conversation_id());
    world.answered(world.request(new, "openai", "hello")).await.1
}

/// A failure that is not worth another try at the same provider.
fn busy() -> Line {
    let busy = ProviderError::new(ErrorClass::Overloaded, "busy");
    Line::Fail(busy.with_retry_after(Some(Duration::from_hours(1))))
}

#[tokio::test]
async fn a_provider_that_cannot_is_answered_for_and_the_log_says_by_whom() {
    let busy_twice = Line::Fail(ProviderError::new(ErrorClass::Overloaded, "busy"));
    let scripts = vec![vec![busy_twice], vec![busy()], vec![say("Back."), stop()]];
    let (world, other) = world(scripts, [vec![say("I am Grok."), stop()]]).await;
    let new = Place::New(world.app.new_conversation_id());
    let (first, ended) = world.answered(world.request(new, "openai", "hello")).await;
    assert_eq!((ended.status, ended.text.as_str()), (TerminalStatus::Completed, "I am Grok."));
    let by = AnsweredBy { provider: grok(), model: ModelId::parse("grok-3").unwrap() };
    assert_eq!((ended.terminal.answered_by, ended.terminal.attempts), (Some(by.clone()), 3));
    assert!(ended.terminal.cost.is_some() && other.requests()[0].key.is_some());
    assert_eq!(other.titled().len(), 1, "who answers finds the title too");

    let (_, ended) = world.answered(world.request(Place::In(first.conversation_id), "openai", "and?")).await;
    assert_eq!((ended.text.as_str(), ended.terminal.answered_by), ("Back.", None));
    let asked = world.provider.requests().pop().unwrap();
    let Turn::Assistant { provider, model, .. } = &asked.history[1] else { panic!("a reply") };
    assert_eq!((provider, model), (&by.provider, &by.model), "the transcript knows who spoke");
    world.close().await;
}

#[tokio::test]
async fn nobody_answers_for_a_provider_that_has_begun_or_that_refuses() {
    let refused = Line::Fail(ProviderError::new(ErrorClass::Quota, "no money"));
    for (script, class) in [
        (vec![say("so far"), busy()], "overloaded"),
        (vec![think("hm"), busy()], "overloaded"),
        (vec![refused], "quota"),
    ] {
        let (world, other) = world(vec![script], []).await;
        let ended = hello(&world).await;
        assert_eq!((ended.class(), ended.terminal.answered_by.clone()), (class, None));
        assert!(other.requests().is_empty());
        world.close().await;
    }
}

#[tokio::test]
async fn a_users_own_key_never_becomes_the_servers() {
    let (world, other) = world(vec![vec![busy()]], []).await;
    world.keys.ann_has_her_own();
    let ended = hello(&world).await;
    assert_eq!((ended.status, ended.class()), (TerminalStatus::Failed, "overloaded"));
    assert!(other.requests().is_empty());
    world.close().await;
}

#[tokio::test]
async fn when_both_fail_the_reply_has_failed_once() {
    let (world, _) = world(vec![vec![busy()]], [vec![busy()]]).await;
    let ended = hello(&world).await;
    assert_eq!((ended.status, ended.terminal.attempts), (TerminalStatus::Failed, 2));
    world.close().await;
}
