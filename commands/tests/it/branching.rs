//! Editing, regenerating, choosing a branch, rating.

use slipstream_commands::{
    CommandError, EditRequest, Place, Posted, RegenerateRequest, Whom, choose_leaf, delete_conversation,
    edit_message, finish_generation, post_message, rate_message, regenerate_reply,
};
use slipstream_domain::event::{GenerationEvent, MessageContent};
use slipstream_domain::{
    ConversationId, Event, GenerationId, MessageId, ModelId, OnBusy, Prompt, ProviderId, Rating, Sealed, Seq,
    SystemPrompt, Temperature, TerminalStatus, UserId,
};
use slipstream_eventlog::Unsealed;
use uuid::Uuid;

use crate::world::{World, ending, nowhere, says};

fn edits(actor: UserId, conversation_id: ConversationId, message_id: MessageId) -> EditRequest {
    EditRequest {
        actor,
        conversation_id,
        message_id,
        generation_id: GenerationId::from_uuid(Uuid::now_v7()),
        client_message_id: None,
        content: MessageContent { text: Prompt::parse("instead".into()).unwrap(), metadata: None },
        on_busy: OnBusy::Reject,
    }
}

fn again(actor: UserId, conversation_id: ConversationId, message_id: MessageId) -> RegenerateRequest {
    RegenerateRequest {
        actor,
        conversation_id,
        message_id,
        generation_id: GenerationId::from_uuid(Uuid::now_v7()),
        client_message_id: None,
        whom: Whom::AsBefore,
        on_busy: OnBusy::Reject,
    }
}

impl World {
    /// A question that was asked in a way of its own, and answered.
    async fn answered(&self, actor: UserId) -> Posted {
        let mut request = says(actor, Place::New(self.app.new_conversation_id()), "hello", OnBusy::Reject);
        request.params.temperature = Some(Temperature::parse(0.25).unwrap());
        request.system_prompt = Some(SystemPrompt::parse("Be brief.".into()).unwrap());
        let posted = post_message(&self.app, request).await.unwrap();
        self.complete(posted.generation_id).await;
        posted
    }

    /// Whom a generation asks, how warm, and under which instructions.
    async fn asked(&self, generation: GenerationId) -> (String, String, Option<f64>, Option<String>) {
        let recorded = self.stream(generation.as_uuid()).await.remove(0);
        let payload = recorded.payload.unwrap();
        let Some(Unsealed::Open(half)) = &payload.sealed else { panic!("no sealed half") };
        let event = Event::decode(&recorded.event_type, &payload.data, Some(Sealed::Open(half.as_slice())));
        let Ok(Event::Generation(GenerationEvent::GenerationRequested(asked))) = event else {
            panic!("not a request")
        };
        let instructions = asked.content.into_open().unwrap().system_prompt;
        (
            asked.provider.as_str().into(),
            asked.model.as_str().into(),
            asked.params.temperature.map(Temperature::get),
            instructions.map(|prompt| prompt.as_str().into()),
        )
    }
}

#[tokio::test]
async fn an_edit_is_asked_as_the_message_before_it_was() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.answered(ann).await;
    let edited = edit_message(&world.app, edits(ann, first.conversation_id, first.message_id)).await.unwrap();
    let events = world.events(first.conversation_id.as_uuid()).await;
    assert_eq!(events[5..], ["UserMessagePosted", "ReplyRequested"]);
    assert_eq!((edited.version, edited.queued, &edited.title), (7, None, &None));
    assert_ne!(edited.message_id, first.message_id);
    assert_eq!(world.asked(edited.generation_id).await, world.asked(first.generation_id).await);
}

#[tokio::test]
async fn another_reply_asks_the_same_or_whom_the_user_names_under_the_same_instructions() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.answered(ann).await;
    let (other, model) = (ProviderId::parse("other").unwrap(), ModelId::parse("m2").unwrap());
    let mut asked = Vec::new();
    for whom in [Whom::AsBefore, Whom::Model(model.clone()), Whom::Provider(other, model)] {
        let request = RegenerateRequest { whom, ..again(ann, first.conversation_id, first.reply_message_id) };
        let made = regenerate_reply(&world.app, request).await.unwrap();
        assert_eq!(made.message_id, first.message_id);
        let (provider, model, temperature, instructions) = world.asked(made.generation_id).await;
        assert_eq!((temperature, instructions.as_deref()), (Some(0.25), Some("Be brief.")));
        asked.push((provider, model));
        world.complete(made.generation_id).await;
    }
    let pairs = [("simulated", "m"), ("simulated", "m2"), ("other", "m2")];
    assert_eq!(asked, pairs.map(|(provider, model)| (provider.to_owned(), model.to_owned())));
}

#[tokio::test]
async fn what_the_client_named_is_done_once_and_answered_the_same_at_once_or_waiting() {
    let world = World::new().await;
    let other = world.another();
    let ann = world.user("ann@example.com").await;
    let first = world.answered(ann).await;
    let id = first.conversation_id;
    let named = |name: &str| Some(name.to_owned());
    let edit = EditRequest { client_message_id: named("e"), ..edits(ann, id, first.message_id) };
    let (a, b) = tokio::join!(edit_message(&world.app, edit.clone()), edit_message(&other.app, edit.clone()));
    let edited = edit_message(&world.app, edit.clone()).await.unwrap();
    assert_eq!((a.unwrap(), b.unwrap()), (edited.clone(), edited.clone()));

    let waits = RegenerateRequest {
        client_message_id: named("r"),
        on_busy: OnBusy::Queue,
        ..again(ann, id, first.reply_message_id)
    };
    let queued = regenerate_reply(&world.app, waits.clone()).await.unwrap();
    assert_eq!((queued.queued, queued.message_id), (Some(1), first.message_id));
    assert_eq!(regenerate_reply(&world.app, waits).await.unwrap(), queued);
    world.complete(edited.generation_id).await;
    let now = RegenerateRequest {
        client_message_id: named("n"),
        on_busy: OnBusy::Queue,
        ..again(ann, id, edited.reply_message_id)
    };
    world.complete(queued.generation_id).await;
    let made = regenerate_reply(&world.app, now.clone()).await.unwrap();
    assert_eq!(made.queued, None);
    assert_eq!(regenerate_reply(&world.app, now).await.unwrap(), made);
    assert_eq!(edit_message(&world.app, edit).await.unwrap(), edited);
}

#[tokio::test]
async fn a_reply_that_is_replaced_is_stopped_and_the_new_one_goes_next() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.chat(ann).await;
    let id = first.conversation_id;
    let own = world.open(first.generation_id).await;
    let request = RegenerateRequest { on_busy: OnBusy::Replace, ..again(ann, id, first.reply_message_id) };
    let made = regenerate_reply(&world.app, request).await.unwrap();
    assert_eq!(made.queued, Some(1));
    let mut own = own;
    own.refresh(&world.app).await.unwrap();
    assert!(own.cancel_requested());
    finish_generation(&world.app, &mut own, ending(TerminalStatus::Cancelled, Seq(0))).await.unwrap();
    let events = world.events(id.as_uuid()).await;
    assert_eq!(events[4..], ["ReplyQueued", "ReplyRecorded", "LeafChosen", "ReplyRequested"]);
    assert_eq!(world.events(made.generation_id.as_uuid()).await, ["GenerationRequested"]);
}

#[tokio::test]
async fn an_edit_replaces_a_reply_no_worker_has_taken_and_is_asked_at_once() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.chat(ann).await;
    let request =
        EditRequest { on_busy: OnBusy::Replace, ..edits(ann, first.conversation_id, first.message_id) };
    let edited = edit_message(&world.app, request).await.unwrap();
    assert_eq!(world.events(edited.generation_id.as_uuid()).await, ["GenerationRequested"]);
    let ended = world.events(first.generation_id.as_uuid()).await;
    assert_eq!(ended, ["GenerationRequested", "GenerationCancelled"]);
}

#[tokio::test]
async fn deleting_withdraws_a_reply_that_waits_to_be_made_again() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.chat(ann).await;
    let id = first.conversation_id;
    let request = RegenerateRequest { on_busy: OnBusy::Queue, ..again(ann, id, first.reply_message_id) };
    regenerate_reply(&world.app, request).await.unwrap();
    delete_conversation(&world.app, ann, id).await.unwrap();
    let events = world.events(id.as_uuid()).await;
    assert_eq!(events[5..], ["QueuedMessageWithdrawn", "ConversationDeleted", "ReplyRecorded"]);
}

#[tokio::test]
async fn choosing_and_rating_what_holds_already_write_nothing_and_answer_the_version() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.answered(ann).await;
    let (id, reply) = (first.conversation_id, first.reply_message_id);
    assert_eq!(choose_leaf(&world.app, ann, id, reply).await.unwrap(), 5, "it is the leaf");
    assert_eq!(choose_leaf(&world.app, ann, id, first.message_id).await.unwrap(), 6);
    assert_eq!(choose_leaf(&world.app, ann, id, first.message_id).await.unwrap(), 6);
    assert_eq!(rate_message(&world.app, ann, id, reply, Rating::Up).await.unwrap(), 7);
    assert_eq!(rate_message(&world.app, ann, id, reply, Rating::Up).await.unwrap(), 7);
    let events = world.events(id.as_uuid()).await;
    assert_eq!(events[5..], ["LeafChosen", "MessageRated"]);
}

#[tokio::test]
async fn busy_wrong_and_unknown_messages_are_refused_by_name() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let first = world.answered(ann).await;
    let (id, said, reply) = (first.conversation_id, first.message_id, first.reply_message_id);
    let unknown = MessageId::from_uuid(Uuid::from_u128(404));
    for refused in [
        edit_message(&world.app, edits(ann, id, reply)).await.map(|_| ()),
        regenerate_reply(&world.app, again(ann, id, said)).await.map(|_| ()),
        rate_message(&world.app, ann, id, said, Rating::Up).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(CommandError::WrongMessage(_))), "{refused:?}");
    }
    for refused in [
        edit_message(&world.app, edits(ann, id, unknown)).await.map(|_| ()),
        regenerate_reply(&world.app, again(ann, id, unknown)).await.map(|_| ()),
        choose_leaf(&world.app, ann, id, unknown).await.map(|_| ()),
        rate_message(&world.app, ann, id, unknown, Rating::Up).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(CommandError::NotFound("message"))), "{refused:?}");
    }
    world.say(ann, Place::In(id), "busy now").await;
    for refused in [
        edit_message(&world.app, edits(ann, id, said)).await,
        regenerate_reply(&world.app, again(ann, id, reply)).await,
    ] {
        assert!(matches!(refused, Err(CommandError::Busy)), "{refused:?}");
    }
}

#[tokio::test]
async fn nobody_else_touches_a_conversation_and_hears_no_more_than_that_it_is_not_there() {
    let world = World::new().await;
    let (ann, bob) = (world.user("ann@example.com").await, world.user("bob@example.com").await);
    let first = world.answered(ann).await;
    let (said, reply) = (first.message_id, first.reply_message_id);
    let before = world.events(first.conversation_id.as_uuid()).await;
    for id in [first.conversation_id, nowhere()] {
        for refused in [
            edit_message(&world.app, edits(bob, id, said)).await.map(|_| ()),
            regenerate_reply(&world.app, again(bob, id, reply)).await.map(|_| ()),
            choose_leaf(&world.app, bob, id, said).await.map(|_| ()),
            rate_message(&world.app, bob, id, reply, Rating::Up).await.map(|_| ()),
        ] {
            assert!(matches!(refused, Err(CommandError::NotFound("conversation"))), "{refused:?}");
        }
    }
    assert_eq!(world.events(first.conversation_id.as_uuid()).await, before);
}
