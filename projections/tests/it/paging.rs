//! Lists in pages, while they grow.

use std::collections::HashSet;

use slipstream_commands::Place;
use slipstream_projections::{Cursor, MAX_PAGE, conversations, transcript};

use crate::world::World;

#[tokio::test]
async fn messages_page_without_loss_or_repeat_while_more_are_said() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let first = world.exchange(user, world.new_chat(), "0", &["re 0"]).await.posted;
    let id = first.conversation_id;
    let mut said = vec![first.message_id, first.reply_message_id];
    let mut read = Vec::new();
    let mut cursor: Option<Cursor> = None;
    for turn in 1..=6 {
        let posted = world.exchange(user, Place::In(id), &turn.to_string(), &["re"]).await.posted;
        said.extend([posted.message_id, posted.reply_message_id]);
        world.settled(id).await;
        let page = transcript::messages(&world.models, user, id, cursor, 2).await.unwrap().unwrap();
        assert_eq!(page.items.len(), 2);
        read.extend(page.items.iter().map(|message| message.id));
        cursor = page.next;
    }
    while let Some(at) = cursor {
        // Through its text, as a client sends it back.
        let at = at.to_string().parse().unwrap();
        let page = transcript::messages(&world.models, user, id, Some(at), 3).await.unwrap().unwrap();
        read.extend(page.items.iter().map(|message| message.id));
        cursor = page.next;
    }
    assert_eq!(read, said);
    world.end(running).await;
}

#[tokio::test]
async fn conversations_page_without_loss_or_repeat_while_new_ones_are_started() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let mut ids = Vec::new();
    for n in 0..7 {
        ids.push(world.exchange(user, world.new_chat(), &n.to_string(), &[]).await.posted.conversation_id);
    }
    ids.reverse();
    world.settled(ids[0]).await;
    let mut read = Vec::new();
    let mut cursor = None;
    loop {
        let page = conversations::list(&world.models, user, cursor, 2).await.unwrap();
        read.extend(page.items.iter().map(|conversation| conversation.id));
        let Some(next) = page.next else { break };
        cursor = Some(next);
        let meanwhile = world.exchange(user, world.new_chat(), "meanwhile", &[]).await.posted;
        world.settled(meanwhile.conversation_id).await;
    }
    assert_eq!(read, ids);
    world.end(running).await;
}

#[tokio::test]
async fn a_page_of_any_asked_size_is_bounded_and_never_empty_before_the_end() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let id = world.exchange(user, world.new_chat(), "a", &["b"]).await.posted.conversation_id;
    world.settled(id).await;
    let page = async |cursor, limit| {
        transcript::messages(&world.models, user, id, cursor, limit).await.unwrap().unwrap()
    };
    let none = page(None, 0).await;
    assert_eq!((none.items.len(), none.next.is_some()), (1, true));
    let all = page(None, usize::MAX).await;
    assert_eq!((all.items.len(), all.next), (2, None));
    let after_all: Cursor = "f_________8".parse().unwrap();
    assert_eq!(page(Some(after_all), MAX_PAGE).await.items, [], "past the end is empty, not absent");
    let seen: HashSet<_> = all.items.iter().map(|message| message.id).collect();
    assert_eq!(seen.len(), 2);
    world.end(running).await;
}
