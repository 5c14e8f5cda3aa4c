//! A conversation with branches, as it is shown.

use slipstream_commands::{Place, choose_leaf, delete_conversation, rate_message};
use slipstream_domain::{ConversationId, MessageId, Rating, UserId};
use slipstream_projections::transcript::{self, Message, MessageStatus};
use slipstream_projections::{QueryError, history_from_log};
use uuid::Uuid;

use crate::world::World;

async fn shown(world: &World, user: UserId, id: ConversationId) -> Vec<Message> {
    world.settled(id).await;
    transcript::messages(&world.models, user, id, None, 200).await.unwrap().unwrap().items
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.text.as_deref().unwrap_or("…")).collect()
}

#[tokio::test]
async fn an_edit_shows_its_own_branch_and_the_way_back_to_the_other() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted;
    let id = first.conversation_id;
    let second = world.exchange(user, Place::In(id), "two", &["due"]).await.posted;
    let edited = world.edit(user, &second, "three").await;
    assert_eq!(texts(&shown(&world, user, id).await), ["one", "uno", "three", "…"]);
    world.answer(edited.generation_id, &["tre"]).await;

    let messages = shown(&world, user, id).await;
    assert_eq!(texts(&messages), ["one", "uno", "three", "tre"]);
    assert_eq!(messages[2].edited_from, Some(second.message_id));
    let beside: Vec<_> = messages[2].siblings.iter().map(|one| (one.id, one.leaf)).collect();
    let both = [(second.message_id, second.reply_message_id), (edited.message_id, edited.reply_message_id)];
    assert_eq!(beside, both);
    assert!([0, 1, 3].iter().all(|n: &usize| messages[*n].siblings.is_empty()));

    choose_leaf(&world.app, user, id, beside[0].1).await.unwrap();
    assert_eq!(texts(&shown(&world, user, id).await), ["one", "uno", "two", "due"]);
    world.end(running).await;
}

#[tokio::test]
async fn a_reply_made_again_is_shown_with_what_its_model_was_told_in_its_branch_alone() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted;
    let id = first.conversation_id;
    world.exchange(user, Place::In(id), "two", &["due"]).await;
    let again = world.regenerate(user, &first).await;
    let running_reply = shown(&world, user, id).await.pop().unwrap();
    assert_eq!((running_reply.id, running_reply.status), (again.reply_message_id, MessageStatus::Running));
    let told = transcript::history(&world.models, id, again.reply_message_id).await.unwrap();
    assert_eq!(told.iter().map(|said| &*said.text).collect::<Vec<_>>(), ["one"]);
    assert_eq!(history_from_log(&world.log, id, again.reply_message_id).await.unwrap(), told);

    world.answer(again.generation_id, &["ein"]).await;
    let messages = shown(&world, user, id).await;
    assert_eq!(texts(&messages), ["one", "ein"]);
    assert_eq!(messages[1].siblings.len(), 2);
    let next = world.exchange(user, Place::In(id), "and?", &["so"]).await.posted;
    assert_eq!(texts(&shown(&world, user, id).await), ["one", "ein", "and?", "so"]);
    let told = transcript::history(&world.models, id, next.message_id).await.unwrap();
    assert_eq!(told.iter().map(|said| &*said.text).collect::<Vec<_>>(), ["one", "ein", "and?"]);
    world.end(running).await;
}

#[tokio::test]
async fn what_the_user_said_around_a_reply_without_text_is_told_as_one_message() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "one", &[]).await.posted;
    let id = first.conversation_id;
    let second = world.say(user, Place::In(id), "two").await;
    world.settled(id).await;
    let told = transcript::history(&world.models, id, second.reply_message_id).await.unwrap();
    assert_eq!(told.iter().map(|said| &*said.text).collect::<Vec<_>>(), ["one\n\ntwo"]);
    assert_eq!(history_from_log(&world.log, id, second.reply_message_id).await.unwrap(), told);
    world.end(running).await;
}

#[tokio::test]
async fn a_rating_is_shown_until_it_is_taken_back() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let posted = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted;
    let id = posted.conversation_id;
    for rating in [Rating::Up, Rating::Down, Rating::None] {
        rate_message(&world.app, user, id, posted.reply_message_id, rating).await.unwrap();
        assert_eq!(shown(&world, user, id).await[1].rating, rating);
    }
    world.end(running).await;
}

#[tokio::test]
async fn a_branch_pages_without_loss_or_repeat_and_without_the_others() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "0", &["re"]).await.posted;
    let id = first.conversation_id;
    for turn in 1..4 {
        world.exchange(user, Place::In(id), &turn.to_string(), &["re"]).await;
    }
    let edited = world.edit(user, &first, "instead of 0").await;
    world.answer(edited.generation_id, &["re"]).await;
    for turn in 5..8 {
        world.exchange(user, Place::In(id), &turn.to_string(), &["re"]).await;
    }
    world.settled(id).await;
    let (mut read, mut cursor) = (Vec::new(), None);
    loop {
        let page = transcript::messages(&world.models, user, id, cursor, 3).await.unwrap().unwrap();
        read.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(texts(&read), ["instead of 0", "re", "5", "re", "6", "re", "7", "re"]);
    world.end(running).await;
}

#[tokio::test]
async fn the_conversation_of_a_message_is_its_owners_to_know_as_long_as_it_is_there() {
    let (world, running) = World::new().await;
    let (owner, other) = (world.user("a").await, world.user("b").await);
    let posted = world.say(owner, world.new_chat(), "one").await;
    let of = async |user, message| transcript::conversation_of(&world.models, user, message).await.unwrap();
    // Asked at once: the transcript may not have it yet.
    assert_eq!(of(owner, posted.message_id).await, Some(posted.conversation_id));
    assert_eq!(of(owner, posted.reply_message_id).await, Some(posted.conversation_id));
    assert_eq!(of(other, posted.message_id).await, None);
    assert_eq!(of(owner, MessageId::from_uuid(Uuid::from_u128(404))).await, None);
    delete_conversation(&world.app, owner, posted.conversation_id).await.unwrap();
    world.settled(posted.conversation_id).await;
    assert_eq!(of(owner, posted.message_id).await, None);
    world.end(running).await;
}

#[tokio::test]
async fn while_the_transcript_stands_still_a_message_it_does_not_know_is_not_called_unknown() {
    let world = World::still().await;
    let user = world.user("a").await;
    let posted = world.say(user, world.new_chat(), "one").await;
    let asked = transcript::conversation_of(&world.models, user, posted.message_id).await;
    assert!(matches!(asked, Err(QueryError::Unavailable(_))), "{asked:?}");
}

#[tokio::test]
async fn the_version_before_is_read_until_the_new_one_is_built() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let id = world.exchange(user, world.new_chat(), "one", &["uno"]).await.posted.conversation_id;
    world.settled(id).await;
    running.stop().await;
    // As the program before this one left it: version 1 is active (the run above may have ended before it said so of
    // its own), and version 2 has not begun.
    world
        .sql(
            "INSERT INTO rm_transcript_v1.message (message_id, conversation_id, owner_id, parent_id, generation_id,
                 position, created_at, ended_at, thinking_ms, role, status, provider, model, text, thinking_text)
             SELECT message_id, conversation_id, owner_id, parent_id, generation_id, position, created_at, ended_at,
                 thinking_ms, role, status, provider, model, text, thinking_text FROM rm_transcript_v2.message;
             UPDATE es.projector SET version = 1, state = 1 WHERE name = 'transcript';
             TRUNCATE rm_transcript_v2.message, rm_transcript_v2.leaf;",
        )
        .await;
    let read = async || transcript::messages(&world.models, user, id, None, 10).await.unwrap().unwrap().items;
    assert_eq!(texts(&read().await), ["one", "uno"]);
    let running = world.run();
    let later = world.exchange(user, Place::In(id), "two", &["due"]).await;
    while texts(&read().await) != ["one", "uno", "two", "due"] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(world.log.head().await.unwrap().position >= later.end);
    world.end(running).await;
}
