//! What users took, day by day.

use slipstream_commands::{
    Place, cancel_conversation, delete_conversation, finish_generation, post_message, suggest_title,
};
use slipstream_domain::conversation::SuggestedTitle;
use slipstream_domain::event::{AnsweredBy, TerminalContent};
use slipstream_domain::{
    ConversationId, Cost, Ending, GenerationId, ModelId, ProviderId, TerminalStatus, Title, TokenUsage,
    UsageSource, UserId,
};
use slipstream_projections::usage_daily::{self, DailyUsage};
use time::{Date, OffsetDateTime};

use crate::world::{World, says};

fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

fn tokens(input: u64, output: u64, source: UsageSource) -> TokenUsage {
    TokenUsage { input, cached_input: 1, output, reasoning: 2, total: input + output, source }
}

fn cost(micro_usd: u64) -> Cost {
    Cost { micro_usd, catalogue_version: "2026-11".into() }
}

impl World {
    async fn took(
        &self,
        id: GenerationId,
        status: TerminalStatus,
        usage: Option<TokenUsage>,
        cost: Option<Cost>,
    ) {
        let mut own = self.open(id).await;
        let mut ending = Ending::without_output(status, None, TerminalContent::default());
        (ending.terminal.usage, ending.terminal.cost) = (usage, cost);
        finish_generation(&self.app, &mut own, ending).await.unwrap();
    }

    async fn usage(&self, user: UserId) -> Vec<DailyUsage> {
        // The test may run past midnight.
        let (first, last) = (today().previous_day().unwrap(), today().next_day().unwrap());
        usage_daily::daily(&self.models, user, first, last).await.unwrap()
    }

    async fn titled(&self, user: UserId, id: ConversationId, usage: Option<TokenUsage>) {
        let suggested = SuggestedTitle { title: Title::parse("Better").unwrap(), usage, cost: Some(cost(7)) };
        assert!(suggest_title(&self.app, user, id, suggested).await.unwrap());
    }
}

#[tokio::test]
async fn a_day_sums_what_a_users_replies_and_titles_took_of_each_model() {
    let (world, running) = World::new().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let first = world.say(ann, world.new_chat(), "one").await;
    let id = first.conversation_id;
    let counted = Some(tokens(10, 5, UsageSource::Provider));
    world.took(first.generation_id, TerminalStatus::Completed, counted, Some(cost(100))).await;
    // In a page of its own, then together with more.
    world.settled(id).await;
    world.titled(ann, id, Some(tokens(3, 1, UsageSource::Provider))).await;
    let second = world.say(ann, Place::In(id), "two").await.generation_id;
    let guessed = Some(tokens(20, 7, UsageSource::Estimated));
    world.took(second, TerminalStatus::Interrupted, guessed, None).await;
    let third = world.say(ann, Place::In(id), "three").await.generation_id;
    world.took(third, TerminalStatus::Failed, None, None).await;
    world.say(ann, Place::In(id), "never mind").await;
    cancel_conversation(&world.app, ann, id).await.unwrap();
    let mut other = says(bob, world.new_chat(), "hello");
    other.provider = ProviderId::parse("openai").unwrap();
    let other = post_message(&world.app, other).await.unwrap();
    world.took(other.generation_id, TerminalStatus::Completed, counted, Some(cost(1))).await;
    world.settled(other.conversation_id).await;

    let [of_ann] = world.usage(ann).await.try_into().unwrap();
    let DailyUsage { day, provider, model, .. } = of_ann.clone();
    assert_eq!((provider.as_str(), model.as_str()), ("simulated", "m"));
    let expected = DailyUsage {
        day,
        provider,
        model,
        completed: 1,
        cancelled: 1,
        interrupted: 1,
        failed: 1,
        estimated: 1,
        input_tokens: 30,
        cached_input_tokens: 2,
        output_tokens: 12,
        reasoning_tokens: 4,
        cost_micro_usd: 100,
        titles: 1,
        title_tokens: 4,
        title_cost_micro_usd: 7,
    };
    assert_eq!(of_ann, expected);
    let [of_bob] = world.usage(bob).await.try_into().unwrap();
    assert_eq!((of_bob.provider.as_str(), of_bob.cost_micro_usd), ("openai", 1));
    world.end(running).await;
}

#[tokio::test]
async fn a_reply_counts_for_the_model_that_answered() {
    let (world, running) = World::new().await;
    let ann = world.user("ann").await;
    let said = world.say(ann, world.new_chat(), "one").await;
    let mut own = world.open(said.generation_id).await;
    let mut ending = Ending::without_output(TerminalStatus::Completed, None, TerminalContent::default());
    ending.terminal.usage = Some(tokens(10, 5, UsageSource::Provider));
    let (provider, model) = (ProviderId::parse("openai").unwrap(), ModelId::parse("gpt-5-nano").unwrap());
    ending.terminal.answered_by = Some(AnsweredBy { provider, model });
    finish_generation(&world.app, &mut own, ending).await.unwrap();
    world.settled(said.conversation_id).await;
    let [day] = world.usage(ann).await.try_into().unwrap();
    assert_eq!((day.provider.as_str(), day.model.as_str(), day.completed), ("openai", "gpt-5-nano", 1));
    world.end(running).await;
}

#[tokio::test]
async fn what_was_taken_outlives_the_conversation_and_belongs_to_its_day() {
    let (world, running) = World::new().await;
    let ann = world.user("ann").await;
    let said = world.say(ann, world.new_chat(), "one").await;
    let counted = Some(tokens(10, 5, UsageSource::Provider));
    world.took(said.generation_id, TerminalStatus::Completed, counted, None).await;
    delete_conversation(&world.app, ann, said.conversation_id).await.unwrap();
    world.settled(said.conversation_id).await;
    let [day] = world.usage(ann).await.try_into().unwrap();
    assert_eq!((day.completed, day.input_tokens), (1, 10));
    let before = usage_daily::daily(
        &world.models,
        ann,
        OffsetDateTime::UNIX_EPOCH.date(),
        day.day.previous_day().unwrap(),
    );
    assert_eq!(before.await.unwrap(), []);
    world.end(running).await;
}
