//! A title is found beside the first reply.

use std::time::Duration;

use slipstream_commands::{ConversationChange, Place, change_conversation};
use slipstream_domain::event::{ConversationEvent, TitleSet};
use slipstream_domain::{
    ConversationId, ErrorClass, FinishReason, Title, TitleSource, TokenUsage, UsageSource,
};
use slipstream_projections::conversation_log;
use slipstream_providers::{Delta, ProviderError, Turn};
use slipstream_testkit::Line;
use slipstream_workers::Settings;
use tokio_util::sync::CancellationToken;

use crate::queue::{HandedOut, Outcome};
use crate::world::{World, finish, say, stop};

/// Every title the conversation was given.
async fn titles(world: &World, conversation: ConversationId) -> Vec<(TitleSet, String)> {
    let told = conversation_log(world.log(), conversation).await.unwrap();
    let set = told.events.into_iter().filter_map(|versioned| match versioned.event {
        ConversationEvent::TitleSet(set) => {
            let title = set.content.open().unwrap().title.as_str().to_owned();
            Some((set, title))
        }
        _ => None,
    });
    set.collect()
}

/// The title after everything is over.
async fn last_title(world: &World, conversation: ConversationId) -> (TitleSource, String) {
    world.stop().await;
    let (set, title) = titles(world, conversation).await.pop().unwrap();
    (set.source, title)
}

fn new(world: &World) -> Place {
    Place::New(world.app.new_conversation_id())
}

#[tokio::test]
async fn the_first_reply_brings_a_title_of_a_cheap_model_with_what_it_cost() {
    let world = World::new([vec![say("Flour, water, salt."), stop()], vec![say("Yes."), stop()]]).await;
    let usage = TokenUsage {
        input: 100_000,
        cached_input: 0,
        output: 10,
        reasoning: 0,
        total: 100_010,
        source: UsageSource::Provider,
    };
    world.provider.will_title(vec![
        say("\"Baking"),
        say(" bread.\""),
        Line::Say(Delta::Usage(usage)),
        stop(),
    ]);
    world.worker();
    let (first, _) = world.answered(world.request(new(&world), "openai", "How do I bake bread?")).await;
    let again = world.request(Place::In(first.conversation_id), "openai", "Really?");
    world.answered(again).await;
    world.stop().await;

    let titles = titles(&world, first.conversation_id).await;
    let [(provisional, _), (generated, title)] = &titles[..] else { panic!("{titles:?}") };
    assert_eq!((provisional.source, provisional.usage), (TitleSource::Provisional, None));
    assert_eq!((generated.source, title.as_str()), (TitleSource::Generated, "Baking bread"));
    assert_eq!(generated.usage, Some(usage));
    assert_eq!(generated.cost.as_ref().unwrap().micro_usd, 10_004);

    let [asked] = &world.provider.titled()[..] else { panic!("the second reply asks for none") };
    assert_eq!(asked.model.id.as_str(), "gpt-4.1-nano");
    assert!(asked.key.is_some() && !asked.thinking);
    let user = Turn::User { text: "How do I bake bread?".into(), attachments: Vec::new() };
    assert_eq!(asked.history, [user]);
    assert!(!asked.system.as_ref().unwrap().contains("bake"));
    world.close().await;
}

#[tokio::test]
async fn a_title_that_fails_is_no_title_and_harms_nobody() {
    let fail = Line::Fail(ProviderError::new(ErrorClass::Overloaded, "busy"));
    for script in [
        vec![fail],
        vec![say("Half a ti")],
        vec![say("Half a ti"), finish(FinishReason::Length)],
        vec![say(" \n"), stop()],
        vec![say(&"x".repeat(10_000)), stop()],
    ] {
        let world = World::new([vec![say("Hi!"), stop()]]).await;
        world.provider.will_title(script);
        world.worker();
        let (posted, ended) = world.answered(world.request(new(&world), "openai", "hello")).await;
        assert_eq!(ended.text, "Hi!");
        let title = last_title(&world, posted.conversation_id).await;
        assert_eq!(title, (TitleSource::Provisional, "hello".to_owned()));
        assert_eq!(world.provider.titled().len(), 1, "one try");
        world.close().await;
    }
}

#[tokio::test]
async fn no_title_is_looked_for_where_the_operator_does_not_want_it() {
    let world = World::new([vec![say("Hi!"), stop()]]).await;
    let settings = Settings { titles: false, ..Settings::default() };
    world.started(world.worker_on(world.queue.clone(), settings));
    let (posted, _) = world.answered(world.request(new(&world), "openai", "hello")).await;
    assert_eq!(last_title(&world, posted.conversation_id).await.0, TitleSource::Provisional);
    assert!(world.provider.titled().is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_title_comes_after_the_first_delta_and_a_reply_that_says_nothing_has_none() {
    let fail = Line::Fail(ProviderError::new(ErrorClass::Quota, "no money"));
    let world = World::new([vec![Line::Hold, fail]]).await;
    world.worker();
    let posted = world.hello().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.provider.go_on();
    world.ended(posted.generation_id).await;
    assert_eq!(last_title(&world, posted.conversation_id).await.0, TitleSource::Provisional);
    assert!(world.provider.titled().is_empty());
    world.close().await;
}

#[tokio::test]
async fn the_users_own_title_stays_and_the_reply_does_not_wait_for_a_slow_one() {
    let world = World::new([vec![say("Hi!"), stop()]]).await;
    world.provider.will_title(vec![Line::Hold, say("Too late"), stop()]);
    world.worker();
    let (posted, ended) = world.answered(world.request(new(&world), "openai", "hello")).await;
    assert_eq!(ended.text, "Hi!");
    let mine = Title::parse("Mine").unwrap();
    let mine = ConversationChange::titled(mine);
    change_conversation(&world.app, world.user, posted.conversation_id, mine).await.unwrap();
    world.provider.go_on();
    let title = last_title(&world, posted.conversation_id).await;
    assert_eq!(title, (TitleSource::User, "Mine".to_owned()));
    world.close().await;
}

#[tokio::test]
async fn a_worker_that_drains_waits_for_a_title_until_its_grace_is_over() {
    let world = World::new([vec![say("Hi!"), stop()]]).await;
    world.provider.will_title(vec![Line::Hold, say("Never"), stop()]);
    let (queue, drain) = (HandedOut::new(), CancellationToken::new());
    let settings = Settings { grace: Duration::from_millis(200), ..Settings::default() };
    world.worker_on(queue.clone(), settings).start(&world.tasks, drain.clone());
    let posted = world.ask("openai", "hello").await;
    queue.deliver(posted.generation_id, 0).await;
    assert_eq!(queue.outcome().await, Outcome::Acked);
    drain.cancel();
    let title = last_title(&world, posted.conversation_id).await;
    assert_eq!(title, (TitleSource::Provisional, "hello".to_owned()));
    world.close().await;
}

#[tokio::test]
async fn the_simulated_provider_finds_the_title_that_can_be_known_beforehand() {
    let world = World::new([]).await;
    world.worker();
    for provider in ["simulated", "anthropic"] {
        let prompt = "tell [[chunks=9 delay_ms=0]] me of the sea and of ships";
        let (posted, _) = world.answered(world.request(new(&world), provider, prompt)).await;
        let titled = async {
            while titles(&world, posted.conversation_id).await.len() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(crate::world::SOON, titled).await.unwrap();
        let (set, title) = titles(&world, posted.conversation_id).await.pop().unwrap();
        assert_eq!((set.source, title.as_str()), (TitleSource::Generated, "Tell me of the sea and"));
        assert_eq!(set.cost.map_or(0, |cost| cost.micro_usd), 0);
    }
    world.close().await;
}
