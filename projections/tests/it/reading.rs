//! What queries show of what was done.

use slipstream_commands::{
    ConversationChange, Place, cancel_conversation, change_conversation, delete_conversation, post_message,
};
use slipstream_domain::event::{ProviderFault, TerminalContent};
use slipstream_domain::{
    Category, ConversationId, Cost, Ending, Epoch, ErrorClass, FinishReason, GenerationId, ModelId, Part,
    ProviderId, Role, Seq, TerminalStatus, Title, TokenUsage, UsageSource,
};
use slipstream_eventlog::NewEvent;
use slipstream_projections::conversations::{self, ConversationSummary};
use slipstream_projections::generations::{self, GenerationStatus};
use slipstream_projections::transcript::{self, Message, MessageStatus};
use slipstream_projections::{Transcript, Waited, generation_log, history_from_log, young_history};
use uuid::Uuid;

use crate::world::{World, says};

async fn all_messages(world: &World, user: slipstream_domain::UserId, id: ConversationId) -> Vec<Message> {
    transcript::messages(&world.models, user, id, None, 200).await.unwrap().expect("the conversation").items
}

fn texts(messages: &[Message]) -> Vec<(&str, Option<&str>)> {
    messages.iter().map(|message| (message.status.as_str(), message.text.as_deref())).collect()
}

#[tokio::test]
async fn after_a_wait_a_query_shows_what_was_just_written() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let exchange = world.exchange(user, world.new_chat(), "hello there", &["Hi", " you"]).await;
    let id = exchange.posted.conversation_id;
    assert_eq!(world.wait::<Transcript>(id, exchange.end).await, Waited::Reached);

    let messages = all_messages(&world, user, id).await;
    assert_eq!(texts(&messages), [("posted", Some("hello there")), ("completed", Some("Hi you"))]);
    let [question, reply] = messages.as_slice() else { panic!("two messages") };
    assert_eq!((question.role, question.parent_id), (Role::User, None));
    assert_eq!((question.id, reply.id), (exchange.posted.message_id, exchange.posted.reply_message_id));
    assert_eq!((reply.role, reply.parent_id), (Role::Assistant, Some(question.id)));
    assert_eq!(reply.provider.as_ref().map(ProviderId::as_str), Some("simulated"));
    assert_eq!(reply.model.as_ref().map(ModelId::as_str), Some("m"));
    assert_eq!(reply.generation_id, Some(exchange.posted.generation_id));
    assert!(reply.ended_at > Some(reply.created_at));

    world.settled(id).await;
    let summary = conversations::find(&world.models, user, id).await.unwrap().unwrap().summary;
    assert_eq!((summary.title.as_deref(), summary.version), (Some("hello there"), 5));
    assert!(summary.updated_at > summary.created_at);
    world.end(running).await;
}

#[tokio::test]
async fn the_text_of_a_reply_is_written_once_and_is_what_was_recorded() {
    let world = World::still().await;
    world
        .sql(
            "CREATE TABLE written (message_id uuid, text text, thinking_text text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO public.written VALUES (new.message_id, new.text, new.thinking_text);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER note AFTER INSERT OR UPDATE OF text ON rm_transcript_v2.message
             FOR EACH ROW WHEN (new.role = 'assistant' AND new.text IS NOT NULL) EXECUTE FUNCTION note();",
        )
        .await;
    let running = world.run();
    let user = world.user("a").await;
    let posted = world.say(user, world.new_chat(), "hello").await;
    let mut own = world.open(posted.generation_id).await;
    world.produce(&mut own, Part::Thinking, 0, "hmm, ").await;
    // The pages of the feed are cut in the middle of the reply.
    world.settled(posted.conversation_id).await;
    world.produce(&mut own, Part::Thinking, 5, "well").await;
    world.produce(&mut own, Part::Text, 0, "Grüße, ").await;
    world.settled(posted.conversation_id).await;
    let running_reply = &all_messages(&world, user, posted.conversation_id).await[1];
    assert_eq!((running_reply.status, running_reply.text.as_deref()), (MessageStatus::Running, None));
    world.produce(&mut own, Part::Text, 9, "Welt").await;
    world.finish(&mut own, TerminalStatus::Completed).await;
    world.settled(posted.conversation_id).await;

    let told = generation_log(&world.log, posted.generation_id).await.unwrap();
    let recorded = |part| -> String {
        let runs = told.outputs.iter().map(|output| &output.run).filter(|run| run.part == part);
        runs.map(|run| run.text.as_str()).collect()
    };
    assert_eq!((recorded(Part::Text), recorded(Part::Thinking)), ("Grüße, Welt".into(), "hmm, well".into()));
    let written: Vec<(Uuid, String, String)> =
        sqlx::query_as("SELECT * FROM public.written").fetch_all(world.pool()).await.unwrap();
    let reply = posted.reply_message_id.as_uuid();
    assert_eq!(written, [(reply, recorded(Part::Text), recorded(Part::Thinking))]);
    let reply = &all_messages(&world, user, posted.conversation_id).await[1];
    assert_eq!((reply.thinking_text.as_deref(), reply.thinking_ms), (Some("hmm, well"), Some(7)));
    world.end(running).await;
}

#[tokio::test]
async fn a_reply_without_output_has_an_empty_text_and_no_place_in_history() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let posted = world.say(user, world.new_chat(), "hello").await;
    cancel_conversation(&world.app, user, posted.conversation_id).await.unwrap();
    world.settled(posted.conversation_id).await;
    let messages = all_messages(&world, user, posted.conversation_id).await;
    assert_eq!(texts(&messages), [("posted", Some("hello")), ("cancelled", Some(""))]);
    let told =
        transcript::history(&world.models, posted.conversation_id, posted.reply_message_id).await.unwrap();
    assert_eq!(told.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["hello"]);
    world.end(running).await;
}

#[tokio::test]
async fn history_follows_one_branch_of_the_tree() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted;
    let place = Place::In(first.conversation_id);
    let left = world.exchange(user, place, "two", &["due"]).await.posted;
    let mut request = says(user, place, "instead of two");
    request.parent_message_id = Some(first.reply_message_id);
    let right = post_message(&world.app, request).await.unwrap();
    world.settled(first.conversation_id).await;

    let branch = async |message| {
        let told = transcript::history(&world.models, first.conversation_id, message).await.unwrap();
        told.into_iter().map(|said| (said.role, said.text)).collect::<Vec<_>>()
    };
    let (user_says, model_says) = (Role::User, Role::Assistant);
    let one = [(user_says, "one".to_owned()), (model_says, "uno".to_owned())];
    let left_branch = [&one[..], &[(user_says, "two".into()), (model_says, "due".into())]].concat();
    let right_branch = [&one[..], &[(user_says, "instead of two".into())]].concat();
    assert_eq!(branch(left.reply_message_id).await, left_branch);
    assert_eq!(branch(right.message_id).await, right_branch);
    // The reply that is being made has no text yet.
    assert_eq!(branch(right.reply_message_id).await, right_branch);
    for message in [left.reply_message_id, right.reply_message_id] {
        let from_log = history_from_log(&world.log, first.conversation_id, message).await.unwrap();
        let mut from_rows = transcript::history(&world.models, first.conversation_id, message).await.unwrap();
        if message == left.reply_message_id {
            from_rows.pop(); // a reply does not answer itself; the log's history ends with what it answers
        }
        assert_eq!(from_log, from_rows);
    }
    let shown = all_messages(&world, user, first.conversation_id).await;
    assert_eq!(
        shown.iter().map(|message| message.id).collect::<Vec<_>>(),
        [first.message_id, first.reply_message_id, right.message_id, right.reply_message_id]
    );
    let elsewhere = ConversationId::from_uuid(Uuid::from_u128(404));
    assert_eq!(transcript::history(&world.models, elsewhere, left.message_id).await.unwrap(), []);
    world.end(running).await;
}

#[tokio::test]
async fn a_young_conversation_is_told_from_the_log_and_an_old_one_is_left_to_the_transcript() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.say(user, world.new_chat(), "one").await;
    let told = async |reply| {
        let head = world.log.head().await.unwrap().position;
        let told = young_history(&world.log, first.conversation_id, reply, head).await.unwrap();
        told.map(|told| told.into_iter().map(|said| said.text).collect::<Vec<_>>())
    };
    assert_eq!(told(first.reply_message_id).await, Some(vec!["one".to_owned()]));
    for _ in 0..52 {
        world.say(user, world.new_chat(), "five more events").await;
    }
    assert_eq!(told(first.reply_message_id).await, None);
    world.end(running).await;
}

#[tokio::test]
async fn a_young_conversation_with_an_event_that_cannot_be_read_is_left_to_the_transcript() {
    let world = World::still().await;
    let user = world.user("a").await;
    let posted = world.exchange(user, world.new_chat(), "one", &["1"]).await.posted;
    let (id, reply) = (posted.conversation_id, posted.reply_message_id);
    let told = async || {
        let head = world.log.head().await.unwrap().position;
        young_history(&world.log, id, reply, head).await.unwrap()
    };
    assert!(told().await.is_some());
    let unknown = NewEvent { event_type: "MessageSung", schema_version: 1, data: "{}".into(), sealed: None };
    world.append_raw(Category::Conversation.number(), id.as_uuid(), user, id.as_uuid(), unknown).await;
    assert_eq!(told().await, None);
}

#[tokio::test]
async fn a_queued_message_waits_at_the_end_and_takes_its_place_when_it_is_posted() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.say(user, world.new_chat(), "one").await;
    let place = Place::In(first.conversation_id);
    let second = world.say(user, place, "two").await;
    let third = world.say(user, place, "three").await;
    world.settled(first.conversation_id).await;
    let messages = all_messages(&world, user, first.conversation_id).await;
    let waiting = [("queued", Some("two")), ("queued", Some("three"))];
    assert_eq!(texts(&messages), [&[("posted", Some("one")), ("running", None)], &waiting[..]].concat());
    let said_at = messages[2].created_at;

    world.answer(first.generation_id, &["uno"]).await;
    world.settled(first.conversation_id).await;
    let messages = all_messages(&world, user, first.conversation_id).await;
    assert_eq!((messages[2].id, messages[2].status), (second.message_id, MessageStatus::Posted));
    assert_eq!((messages[2].parent_id, messages[2].created_at), (Some(first.reply_message_id), said_at));
    assert_eq!((messages[3].id, messages[3].status), (second.reply_message_id, MessageStatus::Running));
    assert_eq!(messages[4].id, third.message_id, "what still waits is still at the end");

    cancel_conversation(&world.app, user, first.conversation_id).await.unwrap();
    world.settled(first.conversation_id).await;
    let messages = all_messages(&world, user, first.conversation_id).await;
    assert!(messages.iter().all(|message| message.id != third.message_id), "withdrawn is gone");
    assert_eq!(messages.len(), 4);
    world.end(running).await;
}

#[tokio::test]
async fn what_is_another_users_is_as_absent_as_what_never_was() {
    let (world, running) = World::new().await;
    let (owner, other) = (world.user("a").await, world.user("b").await);
    let posted = world.say(owner, world.new_chat(), "mine").await;
    let (id, generation) = (posted.conversation_id, posted.generation_id);
    world.settled(id).await;
    let nowhere = (ConversationId::from_uuid(Uuid::nil()), GenerationId::from_uuid(Uuid::nil()));
    for (user, (id, generation)) in [(other, (id, generation)), (owner, nowhere)] {
        assert_eq!(conversations::find(&world.models, user, id).await.unwrap(), None);
        assert_eq!(transcript::messages(&world.models, user, id, None, 10).await.unwrap(), None);
        assert_eq!(generations::find(&world.models, user, generation).await.unwrap(), None);
    }
    assert_eq!(conversations::list(&world.models, other, None, 10).await.unwrap().items, []);
    assert_eq!(generations::running_of(&world.models, other).await.unwrap(), []);
    assert_eq!(generations::running_of(&world.models, owner).await.unwrap().len(), 1);
    world.end(running).await;
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_from_every_query_of_its_owner() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let kept = world.exchange(user, world.new_chat(), "kept", &["k"]).await.posted;
    let deleted = world.exchange(user, world.new_chat(), "deleted", &["d"]).await.posted;
    let place = Place::In(deleted.conversation_id);
    let last = world.say(user, place, "still running").await;
    world.say(user, place, "and waiting").await;
    let mut own = world.open(last.generation_id).await;
    delete_conversation(&world.app, user, deleted.conversation_id).await.unwrap();
    // Its owner stops only now: what it still records must not bring a row back.
    own.refresh(&world.app).await.unwrap();
    world.produce(&mut own, Part::Text, 0, "late").await;
    world.finish(&mut own, TerminalStatus::Cancelled).await;
    world.settled(deleted.conversation_id).await;

    let id = deleted.conversation_id;
    assert_eq!(conversations::find(&world.models, user, id).await.unwrap(), None);
    assert_eq!(transcript::messages(&world.models, user, id, None, 10).await.unwrap(), None);
    assert_eq!(transcript::history(&world.models, id, last.message_id).await.unwrap(), []);
    assert_eq!(generations::find(&world.models, user, deleted.generation_id).await.unwrap(), None);
    assert_eq!(generations::running_of(&world.models, user).await.unwrap(), []);
    let left = conversations::list(&world.models, user, None, 10).await.unwrap().items;
    assert_eq!(left.iter().map(|left| left.id).collect::<Vec<_>>(), [kept.conversation_id]);
    world.end(running).await;
}

#[tokio::test]
async fn conversations_are_listed_by_their_newest_message_and_a_rename_moves_none() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "first", &["1"]).await.posted.conversation_id;
    let second = world.exchange(user, world.new_chat(), "second", &["2"]).await.posted.conversation_id;
    let renamed = ConversationChange::titled(Title::parse("renamed").unwrap());
    change_conversation(&world.app, user, first, renamed).await.unwrap();
    world.settled(first).await;
    let list = async || conversations::list(&world.models, user, None, 10).await.unwrap().items;
    let brief = |list: &[ConversationSummary]| -> Vec<_> {
        list.iter().map(|summary| (summary.id, summary.title.clone().unwrap(), summary.version)).collect()
    };
    assert_eq!(brief(&list().await), [(second, "second".into(), 5), (first, "renamed".into(), 6)]);
    world.exchange(user, Place::In(first), "again", &["3"]).await;
    world.settled(first).await;
    assert_eq!(brief(&list().await), [(first, "renamed".into(), 9), (second, "second".into(), 5)]);
    world.end(running).await;
}

#[tokio::test]
async fn a_generation_is_shown_with_its_state_tokens_cost_and_times() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let posted = world.say(user, world.new_chat(), "hello").await;
    let shown = async || {
        world.settled(posted.conversation_id).await;
        generations::find(&world.models, user, posted.generation_id).await.unwrap().unwrap()
    };
    let waiting = shown().await;
    assert_eq!(
        (waiting.status, waiting.epoch, waiting.started_at),
        (GenerationStatus::Requested, None, None)
    );
    let running_now = generations::running_of(&world.models, user).await.unwrap();
    assert_eq!(running_now[0].generation, posted.generation_id);
    assert_eq!(running_now[0].message, posted.reply_message_id);

    let mut own = world.open(posted.generation_id).await;
    let streaming = shown().await;
    assert_eq!((streaming.status, streaming.epoch), (GenerationStatus::Streaming, Some(Epoch(1))));
    assert!(streaming.started_at.is_some() && !streaming.cancel_requested);
    world.produce(&mut own, Part::Text, 0, "half").await;
    cancel_conversation(&world.app, user, posted.conversation_id).await.unwrap();
    assert!(shown().await.cancel_requested);

    let usage = TokenUsage {
        input: 11,
        cached_input: 2,
        output: 5,
        reasoning: 3,
        total: 16,
        source: UsageSource::Provider,
    };
    let cost = Cost { micro_usd: 1_234, catalogue_version: "2026-07".into() };
    let fault = Some(ProviderFault { class: ErrorClass::RateLimited });
    let mut ending = Ending::without_output(TerminalStatus::Cancelled, fault, TerminalContent::default());
    ending.terminal.final_seq = Seq(1);
    ending.terminal.usage = Some(usage);
    ending.terminal.cost = Some(cost.clone());
    ending.terminal.finish_reason = Some(FinishReason::Other("stopped".into()));
    ending.terminal.first_token_ms = Some(40);
    ending.terminal.attempts = 2;
    own.refresh(&world.app).await.unwrap();
    slipstream_commands::finish_generation(&world.app, &mut own, ending).await.unwrap();
    let ended = shown().await;
    assert_eq!(ended.status, GenerationStatus::Ended(TerminalStatus::Cancelled));
    assert_eq!((ended.usage, ended.cost), (Some(usage), Some(cost)));
    assert_eq!((ended.finish_reason, ended.attempts), (Some(FinishReason::Other("stopped".into())), Some(2)));
    assert_eq!((ended.first_token_ms, ended.final_seq), (Some(40), Some(Seq(1))));
    assert_eq!(ended.error_class.as_deref(), Some("rate_limited"));
    assert!(ended.requested_at < ended.started_at.unwrap() && ended.started_at < ended.ended_at);
    assert_eq!(generations::running_of(&world.models, user).await.unwrap(), []);
    world.end(running).await;
}

#[tokio::test]
async fn before_anything_has_run_queries_find_nothing_and_a_wait_times_out() {
    let world = World::still().await;
    let user = world.user("a").await;
    let posted = world.say(user, world.new_chat(), "hello").await;
    let id = posted.conversation_id;
    assert_eq!(conversations::list(&world.models, user, None, 10).await.unwrap().items, []);
    assert_eq!(transcript::messages(&world.models, user, id, None, 10).await.unwrap(), None);
    let head = world.log.head().await.unwrap().position;
    let patience = std::time::Duration::from_millis(50);
    let waited = slipstream_projections::wait_for::<Transcript>(&world.log, id, head, patience).await;
    assert_eq!(waited, Waited::TimedOut);
    let running = world.run();
    world.settled(id).await;
    assert_eq!(all_messages(&world, user, id).await.len(), 2);
    world.end(running).await;
}
