//! Naming conversations and setting what holds for their requests.

use slipstream_commands::{
    ConversationChange, EditRequest, Place, RegenerateRequest, Whom, change_conversation, edit_message,
    post_message, regenerate_reply,
};
use slipstream_domain::conversation::{Patch, SettingsPatch};
use slipstream_domain::event::{GenerationEvent, GenerationRequested, MessageContent};
use slipstream_domain::{
    Event, GenerationId, OnBusy, Params, Prompt, Sealed, SystemPrompt, Temperature, Title,
};
use slipstream_eventlog::Unsealed;

use crate::world::{World, says};

fn warm(value: f64) -> SettingsPatch {
    let prompt = SystemPrompt::parse("Be brief.".into()).unwrap();
    let temperature = Patch::Set(Temperature::parse(value).unwrap());
    SettingsPatch { temperature, system_prompt: Patch::Set(prompt), ..SettingsPatch::default() }
}

impl World {
    async fn request_of(&self, generation: GenerationId) -> GenerationRequested {
        let first = &self.stream(generation.as_uuid()).await[0];
        let payload = first.payload.as_ref().unwrap();
        let Some(Unsealed::Open(sealed)) = &payload.sealed else { panic!("it is sealed") };
        let event = Event::decode(&first.event_type, &payload.data, Some(Sealed::Open(sealed))).unwrap();
        let Event::Generation(GenerationEvent::GenerationRequested(asked)) = event else {
            panic!("{event:?}")
        };
        asked
    }
}

#[tokio::test]
async fn a_title_and_settings_are_one_append_and_what_holds_already_is_none() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let id = world.chat(ann).await.conversation_id;
    let change = ConversationChange { title: Title::parse("mine").ok(), settings: warm(1.5) };
    let changed = change_conversation(&world.app, ann, id, change).await.unwrap();
    let events = world.stream(id.as_uuid()).await;
    let [.., renamed, set] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&*renamed.event_type, &*set.event_type), ("TitleSet", "ConversationSettingsChanged"));
    assert_eq!((renamed.command_id, set.position), (set.command_id, changed));
    let again = ConversationChange { title: None, settings: warm(1.5) };
    assert_eq!(change_conversation(&world.app, ann, id, again).await.unwrap(), changed);
    assert!(!set.payload.as_ref().unwrap().data.contains("brief"));
}

#[tokio::test]
async fn replies_to_an_edit_and_made_again_keep_what_was_asked_and_take_the_settings_that_hold_now() {
    let world = World::new().await;
    let ann = world.user("ann@example.com").await;
    let place = Place::In(world.chat(ann).await.conversation_id);
    cancelled(&world, ann, place).await;
    set(&world, ann, place, warm(1.5)).await;
    let mut request = says(ann, place, "one", OnBusy::Reject);
    request.params.enable_web_search = Some(true);
    let said = post_message(&world.app, request).await.unwrap();
    let asked = world.request_of(said.generation_id).await;
    let own = Params { enable_web_search: Some(true), ..Params::default() };
    assert_eq!(asked.params, Params { temperature: Temperature::parse(1.5).ok(), ..own });
    world.complete(said.generation_id).await;

    set(&world, ann, place, warm(0.5)).await;
    let edit = EditRequest {
        actor: ann,
        conversation_id: place.id(),
        message_id: said.message_id,
        generation_id: world.app.new_generation_id(),
        client_message_id: None,
        content: MessageContent { text: Prompt::parse("other".into()).unwrap(), metadata: None },
        on_busy: OnBusy::Reject,
    };
    let edited = edit_message(&world.app, edit).await.unwrap();
    assert_eq!(
        world.request_of(edited.generation_id).await.params,
        Params { temperature: Temperature::parse(0.5).ok(), ..own }
    );
    world.complete(edited.generation_id).await;

    let none =
        SettingsPatch { temperature: Patch::Unset, system_prompt: Patch::Unset, ..SettingsPatch::default() };
    set(&world, ann, place, none).await;
    let again = RegenerateRequest {
        actor: ann,
        conversation_id: place.id(),
        message_id: said.reply_message_id,
        generation_id: world.app.new_generation_id(),
        client_message_id: None,
        whom: Whom::AsBefore,
        on_busy: OnBusy::Reject,
    };
    let again = regenerate_reply(&world.app, again).await.unwrap();
    let asked = world.request_of(again.generation_id).await;
    assert_eq!((asked.params, asked.content.into_open().unwrap().system_prompt), (own, None));
}

async fn set(world: &World, actor: slipstream_domain::UserId, place: Place, settings: SettingsPatch) {
    let change = ConversationChange { title: None, settings };
    change_conversation(&world.app, actor, place.id(), change).await.unwrap();
}

async fn cancelled(world: &World, actor: slipstream_domain::UserId, place: Place) {
    slipstream_commands::cancel_conversation(&world.app, actor, place.id()).await.unwrap();
}
