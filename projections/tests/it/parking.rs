//! Events that cannot be applied: they hold up their own conversation and nothing else.

use slipstream_commands::{Place, delete_conversation};
use slipstream_domain::{Category, ConversationId, Event};
use slipstream_eventlog::{CorrelationId, NewEvent, Upcast, Upcasters, parked};
use slipstream_projections::transcript::{self, MessageStatus};
use slipstream_projections::{Conversations, Generations, Projection, Transcript, Waited};

use crate::world::{Running, World, log_on};

/// A defect of the read model that one text reveals.
const DEFECT: &str = "ALTER TABLE rm_transcript_v2.message ADD CONSTRAINT defect CHECK (text <> 'poison')";
const MENDED: &str = "ALTER TABLE rm_transcript_v2.message DROP CONSTRAINT defect";

async fn retry<P: Projection>(world: &World, id: ConversationId) -> u64 {
    let correlation = CorrelationId::from_uuid(id.as_uuid());
    parked::request_retry(world.pool(), &P::id(), Some(correlation)).await.unwrap()
}

async fn until_unparked<P: Projection>(world: &World) {
    while !world.parked::<P>().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_poison_event_parks_its_conversation_alone_and_a_retry_heals_it() {
    let world = World::still().await;
    world.sql(DEFECT).await;
    let user = world.user("a").await;
    // All of it is one page when the runner starts, so the poison has to be found among the others.
    let before = world.exchange(user, world.new_chat(), "before", &["b"]).await.posted;
    let sick = world.exchange(user, world.new_chat(), "fine so far", &["f"]).await.posted;
    let between = world.exchange(user, world.new_chat(), "between", &["w"]).await.posted;
    world.exchange(user, Place::In(sick.conversation_id), "poison", &["p"]).await;
    let after = world.exchange(user, world.new_chat(), "after", &["a"]).await.posted;
    world.exchange(user, Place::In(sick.conversation_id), "later", &["l"]).await;
    let running = world.run();
    let head = world.log.head().await.unwrap().position;

    let id = sick.conversation_id;
    for well in [&before, &between, &after] {
        assert_eq!(world.wait::<Transcript>(well.conversation_id, head).await, Waited::Reached);
        let page = transcript::messages(&world.models, user, well.conversation_id, None, 10).await.unwrap();
        assert_eq!(page.unwrap().items.len(), 2);
    }
    assert_eq!(world.wait::<Transcript>(id, head).await, Waited::Parked);
    assert_eq!(world.wait::<Conversations>(id, head).await, Waited::Reached);
    assert_eq!(world.wait::<Generations>(id, head).await, Waited::Reached);
    let parked = world.parked::<Transcript>().await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].correlation.as_uuid(), id.as_uuid());
    assert_eq!(parked[0].error, "refused by the database: 23514, defect");
    let messages =
        async || transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
    assert_eq!(messages().await.len(), 2, "what came before the poison is there, nothing after it");

    // It goes on being skipped …
    let late = world.exchange(user, Place::In(id), "even later", &["e"]).await;
    let well = world.exchange(user, world.new_chat(), "well", &["w"]).await;
    assert_eq!(world.wait::<Transcript>(well.posted.conversation_id, well.end).await, Waited::Reached);
    assert_eq!(world.wait::<Transcript>(id, late.end).await, Waited::Parked);
    // … a retry before anything is mended changes nothing …
    assert_eq!(retry::<Transcript>(&world, id).await, 1);
    while world.parked::<Transcript>().await[0].retry_requested {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(world.parked::<Transcript>().await[0].first_position, parked[0].first_position);
    // … and one after it makes it whole.
    world.sql(MENDED).await;
    retry::<Transcript>(&world, id).await;
    until_unparked::<Transcript>(&world).await;
    let texts: Vec<_> = messages().await.into_iter().map(|message| message.text.unwrap()).collect();
    assert_eq!(texts, ["fine so far", "f", "poison", "p", "later", "l", "even later", "e"]);
    assert_eq!(world.wait::<Transcript>(id, late.end).await, Waited::Reached);
    world.end(running).await;
}

#[tokio::test]
async fn a_parked_conversation_that_is_deleted_leaves_nothing_and_is_parked_no_longer() {
    for in_one_page in [false, true] {
        let world = World::still().await;
        world.sql(DEFECT).await;
        let user = world.user("a").await;
        let sick = world.exchange(user, world.new_chat(), "fine so far", &["f"]).await.posted.conversation_id;
        world.exchange(user, Place::In(sick), "poison", &["p"]).await;
        let mut running = None;
        if !in_one_page {
            running = Some(world.run());
            let head = world.log.head().await.unwrap().position;
            assert_eq!(world.wait::<Transcript>(sick, head).await, Waited::Parked);
        }
        delete_conversation(&world.app, user, sick).await.unwrap();
        let running = running.unwrap_or_else(|| world.run());
        let head = world.log.head().await.unwrap().position;
        while world.wait::<Transcript>(sick, head).await != Waited::Reached {}
        assert_eq!(world.parked::<Transcript>().await, []);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM rm_transcript_v2.message")
            .fetch_one(world.pool())
            .await
            .unwrap();
        assert_eq!(left, 0);
        world.end(running).await;
    }
}

#[tokio::test]
async fn two_poisons_in_one_page_park_two_conversations() {
    let world = World::still().await;
    world.sql(DEFECT).await;
    let user = world.user("a").await;
    let one = world.exchange(user, world.new_chat(), "poison", &["1"]).await.posted.conversation_id;
    let well = world.exchange(user, world.new_chat(), "well", &["2"]).await.posted.conversation_id;
    let two = world.exchange(user, world.new_chat(), "x", &["poison"]).await.posted.conversation_id;
    let running = world.run();
    let head = world.log.head().await.unwrap().position;
    assert_eq!(world.wait::<Transcript>(well, head).await, Waited::Reached);
    let parked: Vec<_> =
        world.parked::<Transcript>().await.iter().map(|parked| parked.correlation.as_uuid()).collect();
    assert_eq!(parked, [one.as_uuid(), two.as_uuid()]);
    world.end(running).await;
}

#[tokio::test]
async fn an_event_of_a_newer_schema_version_parks_its_conversation_until_a_program_knows_it() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let sick = world.exchange(user, world.new_chat(), "old", &["o"]).await.posted;
    let id = sick.conversation_id;
    let newer = NewEvent {
        event_type: "UserMessagePosted",
        schema_version: 2,
        data: format!(
            r#"{{"messageId":"{}","parentMessageId":"{}","attachmentIds":[]}}"#,
            id.as_uuid(),
            sick.reply_message_id
        ),
        sealed: Some(br#"{"text":"from the future"}"#.to_vec()),
    };
    let category = Category::Conversation.number();
    let position = world.append_raw(category, id.as_uuid(), user, id.as_uuid(), newer).await;
    let well = world.exchange(user, world.new_chat(), "well", &["w"]).await;
    assert_eq!(world.wait::<Transcript>(well.posted.conversation_id, well.end).await, Waited::Reached);
    assert_eq!(world.wait::<Transcript>(id, position).await, Waited::Parked);
    assert_eq!(world.wait::<Conversations>(id, position).await, Waited::Parked);
    assert_eq!(world.wait::<Generations>(id, position).await, Waited::Reached, "it has no use for that type");
    let parked = world.parked::<Transcript>().await;
    assert_eq!(parked[0].first_position, position);
    assert_eq!(parked[0].error, "UserMessagePosted is stored in version 2; this program knows 1");
    running.stop().await;

    let running = Running::start(log_on(world.pool().clone(), of_the_future()));
    retry::<Transcript>(&world, id).await;
    retry::<Conversations>(&world, id).await;
    until_unparked::<Transcript>(&world).await;
    until_unparked::<Conversations>(&world).await;
    let messages = transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
    assert_eq!(messages[2].text.as_deref(), Some("from the future"));
    assert_eq!(messages[2].status, MessageStatus::Posted);
    world.end(running).await;
}

/// What the next release knows: one more version of one type, read as it is.
fn of_the_future() -> Upcasters {
    const STEPS: &[Upcast] = &[|data, sealed| (data, sealed)];
    const NONE: &[Upcast] = &[];
    let steps = |name| if name == "UserMessagePosted" { STEPS } else { NONE };
    Upcasters::new(
        Event::SCHEMAS.iter().flat_map(|types| types.iter()).map(|(name, _)| (*name, steps(*name))),
    )
}

#[tokio::test]
async fn a_forged_or_unknown_event_is_its_conversations_trouble_alone() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let sick = world.exchange(user, world.new_chat(), "x", &["y"]).await.posted;
    let id = sick.conversation_id.as_uuid();
    let unknown = NewEvent { event_type: "MessageSung", schema_version: 1, data: "{}".into(), sealed: None };
    let position = world.append_raw(Category::Conversation.number(), id, user, id, unknown).await;
    assert_eq!(world.wait::<Conversations>(sick.conversation_id, position).await, Waited::Parked);
    let well = world.exchange(user, world.new_chat(), "well", &["w"]).await.posted.conversation_id;
    world.settled(well).await;
    assert_eq!(world.parked::<Conversations>().await[0].error, "unknown event type MessageSung");
    world.end(running).await;
}

#[tokio::test]
async fn a_reply_whose_chunks_are_missing_is_parked_not_shown_short() {
    let world = World::still().await;
    let user = world.user("a").await;
    let posted = world.exchange(user, world.new_chat(), "x", &["whole ", "text"]).await.posted;
    // The first chunk cannot be read, and claims to belong elsewhere, so that it parks another correlation.
    sqlx::query(
        "UPDATE es.event SET type = 'ChunksSung', correlation_id = gen_random_uuid()
         WHERE stream_id = $1 AND version = 3",
    )
    .bind(posted.generation_id.as_uuid())
    .execute(world.pool())
    .await
    .unwrap();
    let running = world.run();
    let head = world.log.head().await.unwrap().position;
    assert_eq!(world.wait::<Transcript>(posted.conversation_id, head).await, Waited::Parked);
    let id = posted.conversation_id;
    let messages = transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
    assert_eq!((messages[1].status, messages[1].text.as_deref()), (MessageStatus::Running, None));
    let parked = world.parked::<Transcript>().await;
    let why =
        parked.iter().find(|parked| parked.correlation.as_uuid() == id.as_uuid()).unwrap().error.as_str();
    assert!(why.ends_with("ends at delta 2, but it is recorded only up to 0"), "{why}");
    world.end(running).await;
}
