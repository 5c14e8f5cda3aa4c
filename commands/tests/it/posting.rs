//! Posting messages.

use slipstream_commands::{
    CommandError, ConversationChange, Place, change_conversation, delete_conversation, finish_generation,
    post_message, suggest_title,
};
use slipstream_domain::conversation::SuggestedTitle;
use slipstream_domain::{OnBusy, Prompt, Seq, TerminalStatus, Title, UserId};
use slipstream_eventlog::{
    Append, Category, CommandId, CorrelationId, Expected, NewEvent, OwnerId, StreamAppend, StreamId,
};
use uuid::Uuid;

use crate::world::{World, ending, nowhere, says};

#[tokio::test]
async fn a_first_message_is_one_append_with_its_request() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let posted = world.chat(ann).await;
    assert_eq!((posted.version, posted.queued), (4, None));
    assert_eq!(posted.title, Some(Title::parse("hello").unwrap()));
    let events: Vec<_> = world.everything().await.into_iter().skip(2).collect();
    let names: Vec<_> = events.iter().map(|event| event.event_type.to_string()).collect();
    assert_eq!(
        names,
        ["ConversationStarted", "UserMessagePosted", "ReplyRequested", "TitleSet", "GenerationRequested"]
    );
    assert!(events.iter().all(|event| event.command_id == events[0].command_id));
    assert!(events.iter().all(|event| event.correlation.as_uuid() == posted.conversation_id.as_uuid()));
}

#[tokio::test]
async fn a_message_the_client_named_is_accepted_once_and_answered_the_same() {
    let world = World::new().await;
    let other = world.another();
    let ann = world.user("ann@example.com").await;
    let mut request = says(ann, Place::New(world.app.new_conversation_id()), "hello", OnBusy::Queue);
    request.client_message_id = Some("c-1".into());
    let (a, b) =
        tokio::join!(post_message(&world.app, request.clone()), post_message(&other.app, request.clone()));
    let again = post_message(&world.app, request).await.unwrap();
    assert_eq!((a.unwrap(), b.unwrap()), (again.clone(), again.clone()));
    assert_eq!(world.events(again.conversation_id.as_uuid()).await.len(), 4);
}

#[tokio::test]
async fn a_queued_message_that_is_repeated_is_answered_as_queued_whatever_became_of_it_since() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let running = world.chat(ann).await;
    let place = Place::In(running.conversation_id);
    let mut request = says(ann, place, "and then?", OnBusy::Queue);
    request.client_message_id = Some("c-2".into());
    let first = post_message(&world.app, request.clone()).await.unwrap();
    assert_eq!(first.queued, Some(1));
    assert_eq!(post_message(&world.app, request.clone()).await.unwrap(), first);
    world.complete(running.generation_id).await;
    assert_eq!(post_message(&world.app, request).await.unwrap(), first, "it is being answered by now");
}

#[tokio::test]
async fn a_conversation_that_is_foreign_or_not_there_is_not_found() {
    let world = World::new().await;
    let (ann, bob) = (world.user("ann@example.com").await, world.user("bob@example.com").await);
    let foreign = world.chat(ann).await.conversation_id;
    for place in [foreign, nowhere()] {
        let posted = post_message(&world.app, says(bob, Place::In(place), "hi", OnBusy::Reject)).await;
        assert!(matches!(posted, Err(CommandError::NotFound("conversation"))), "{posted:?}");
        let change = ConversationChange::titled(Title::parse("mine").unwrap());
        let renamed = change_conversation(&world.app, bob, place, change).await;
        assert!(matches!(renamed, Err(CommandError::NotFound("conversation"))), "{renamed:?}");
    }
}

#[tokio::test]
async fn a_models_title_takes_the_place_of_the_first_words_and_never_of_the_users_own() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let chat = world.chat(ann).await.conversation_id;
    let suggest = |title: &str| {
        let suggested = SuggestedTitle { title: Title::parse(title).unwrap(), usage: None, cost: None };
        suggest_title(&world.app, ann, chat, suggested)
    };
    assert!(suggest("A greeting").await.unwrap());
    let mine = ConversationChange::titled(Title::parse("Mine").unwrap());
    change_conversation(&world.app, ann, chat, mine).await.unwrap();
    assert!(!suggest("A better greeting").await.unwrap());
    let titles = world.events(chat.as_uuid()).await.into_iter().filter(|name| name == "TitleSet");
    assert_eq!(titles.count(), 3);
    delete_conversation(&world.app, ann, chat).await.unwrap();
    assert!(matches!(suggest("Too late").await, Err(CommandError::NotFound("conversation"))));
}

#[tokio::test]
async fn an_unknown_user_starts_no_conversation() {
    let world = World::new().await;
    let nobody = UserId::from_uuid(Uuid::from_u128(9));
    let place = Place::New(world.app.new_conversation_id());
    let posted = post_message(&world.app, says(nobody, place, "hi", OnBusy::Reject)).await;
    assert!(matches!(posted, Err(CommandError::NotFound("user"))), "{posted:?}");
}

#[tokio::test]
async fn of_two_messages_at_once_one_is_answered_and_one_is_told_to_wait() {
    let world = World::new().await;
    let other = world.another();
    let ann = world.user("ann@example.com").await;
    let first = world.chat(ann).await;
    let mut own = world.open(first.generation_id).await;
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Completed, Seq(0))).await.unwrap();
    let place = Place::In(first.conversation_id);
    let (a, b) = tokio::join!(
        post_message(&world.app, says(ann, place, "a", OnBusy::Reject)),
        post_message(&other.app, says(ann, place, "b", OnBusy::Reject)),
    );
    let busy = |result: &Result<_, CommandError>| matches!(result, Err(CommandError::Busy));
    assert!(busy(&a) != busy(&b) && (a.is_ok() || b.is_ok()), "{a:?} {b:?}");
}

#[tokio::test]
async fn the_longest_prompt_fits_into_the_log() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let text = "\u{1}".repeat(Prompt::MAX_BYTES - 1) + "x";
    let place = Place::New(world.app.new_conversation_id());
    let posted = post_message(&world.app, says(ann, place, &text, OnBusy::Reject)).await;
    // Each control character is six bytes of JSON: more than one append may hold. It is refused whole, and by name.
    assert!(matches!(posted, Ok(_) | Err(CommandError::TooLarge)), "{posted:?}");
    let text = "ü".repeat(Prompt::MAX_BYTES / 2);
    assert_eq!(world.say(ann, Place::New(world.app.new_conversation_id()), &text).await.queued, None);
}

#[tokio::test]
async fn a_history_written_by_a_newer_program_is_refused_and_left_alone() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.app.new_conversation_id();
    let event = NewEvent {
        event_type: "ConversationStarted",
        schema_version: 9,
        data: r#"{"x":1}"#.into(),
        sealed: None,
    };
    let stream = StreamAppend {
        stream: StreamId::from_uuid(id.as_uuid()),
        category: Category(2),
        owner: Some(OwnerId::from_uuid(ann.as_uuid())),
        correlation: CorrelationId::from_uuid(id.as_uuid()),
        causation: None,
        expected: Expected::NoStream,
        events: vec![event],
        close: false,
    };
    let command_id = CommandId::from_uuid(Uuid::from_u128(1));
    world.app.log().append(Append { streams: vec![stream], command_id, guards: Vec::new() }).await.unwrap();
    let posted = post_message(&world.app, says(ann, Place::In(id), "hi", OnBusy::Reject)).await;
    let Err(CommandError::Unreadable(why)) = posted else { panic!("{posted:?}") };
    assert_eq!(why, "ConversationStarted is stored in version 9; this program knows 1");
    assert_eq!(world.events(id.as_uuid()).await.len(), 1);
}
