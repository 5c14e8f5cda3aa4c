//! What is set for a conversation.

use slipstream_commands::{ConversationChange, change_conversation};
use slipstream_domain::conversation::{Patch, Settings, SettingsPatch};
use slipstream_domain::{MaxTokens, Params, SystemPrompt, Temperature, TopP};
use slipstream_projections::conversations;

use crate::world::World;

#[tokio::test]
async fn a_conversation_by_itself_shows_what_is_set_for_it() {
    let (world, running) = World::new().await;
    let user = world.user("a").await;
    let id = world.exchange(user, world.new_chat(), "hello", &["hi"]).await.posted.conversation_id;
    let set = SettingsPatch {
        temperature: Patch::Set(Temperature::parse(0.25).unwrap()),
        top_p: Patch::Set(TopP::parse(0.5).unwrap()),
        max_tokens: Patch::Set(MaxTokens::parse(10_000_000).unwrap()),
        enable_thinking: Patch::Set(false),
        enable_web_search: Patch::Keep,
        system_prompt: Patch::Set(SystemPrompt::parse("Be brief.".into()).unwrap()),
    };
    let unset = SettingsPatch { temperature: Patch::Unset, ..SettingsPatch::default() };
    for settings in [set, unset] {
        change_conversation(&world.app, user, id, ConversationChange { title: None, settings })
            .await
            .unwrap();
        world.settled(id).await;
    }
    let shown = conversations::find(&world.models, user, id).await.unwrap().unwrap();
    let params = Params {
        top_p: TopP::parse(0.5).ok(),
        max_tokens: MaxTokens::parse(10_000_000).ok(),
        enable_thinking: Some(false),
        ..Params::default()
    };
    let system_prompt = SystemPrompt::parse("Be brief.".into()).ok();
    assert_eq!(shown.settings, Settings { params, system_prompt });
    assert_eq!(shown.summary.version, 7);
    world.end(running).await;
}
