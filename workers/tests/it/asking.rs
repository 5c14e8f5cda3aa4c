//! What a provider is asked, beside the words.

use slipstream_commands::{Place, PostRequest};
use slipstream_domain::{Params, RequestMetadata};
use slipstream_providers::{Delta, SignedThinking, Turn, UserLocation};
use slipstream_testkit::Line;

use crate::world::{World, say, stop, think};

fn proof(text: &str) -> Line {
    Line::Say(Delta::ThinkingSignature(text.into()))
}

/// Asks three times in one conversation, the third time without thinking; answers what the second and the third were told
/// of the thinking before the first reply.
async fn shown_thinking(world: World) -> [Vec<SignedThinking>; 2] {
    world.worker();
    let new = Place::New(world.app.new_conversation_id());
    let (first, _) = world.answered(world.request(new, "openai", "hello")).await;
    let again = world.request(Place::In(first.conversation_id), "openai", "and?");
    world.answered(again.clone()).await;
    let params = Params { enable_thinking: Some(false), ..Params::default() };
    let generation_id = world.app.new_generation_id();
    world.answered(PostRequest { params, generation_id, ..again }).await;
    let asked = world.provider.requests();
    assert_eq!([true, true, false], [0, 1, 2].map(|n: usize| asked[n].thinking));
    let shown = [1, 2].map(|n: usize| match &asked[n].history[1] {
        Turn::Assistant { thinking, text, .. } => {
            assert_eq!(text, "Hi!");
            thinking.clone()
        }
        Turn::User { .. } => panic!("the second message is a reply"),
    });
    world.close().await;
    shown
}

#[tokio::test]
async fn proved_thinking_goes_back_unchanged_to_its_model_and_only_while_that_thinks() {
    let scripts = || {
        let first = vec![
            think("hm"),
            think(", so"),
            proof("one"),
            say("Hi"),
            think("\n\nmore"),
            proof("two"),
            proof("hidden"),
            say("!"),
            think("not proved"),
            stop(),
        ];
        [first, vec![say("Yes."), stop()], vec![say("No."), stop()]]
    };
    let signed =
        |text: &str, signature: &str| SignedThinking { text: text.into(), signature: signature.into() };
    let expected = vec![signed("hm, so", "one"), signed("\n\nmore", "two"), signed("", "hidden")];
    for world in [World::new(scripts()).await, World::without_read_models(scripts()).await] {
        assert_eq!(shown_thinking(world).await, [expected.clone(), Vec::new()]);
    }
}

#[tokio::test]
async fn a_search_is_the_users_wish_and_knows_where_the_user_is() {
    let world = World::new((0..3).map(|_| vec![say("ok"), stop()])).await;
    world.worker();
    let zurich = RequestMetadata {
        city: Some("Zürich".into()),
        country: Some("CH".into()),
        tz: Some("Europe/Zurich".into()),
        lat: Some(47.4),
        ..RequestMetadata::default()
    };
    let location = UserLocation {
        city: Some("Zürich".into()),
        region: None,
        country: Some("CH".into()),
        timezone: Some("Europe/Zurich".into()),
    };
    for (wish, metadata, expected) in [
        (None, Some(zurich.clone()), (false, None)),
        (Some(true), Some(zurich), (true, Some(location))),
        (Some(true), None, (true, None)),
    ] {
        let mut request = world.request(Place::New(world.app.new_conversation_id()), "openai", "news?");
        request.params.enable_web_search = wish;
        request.content.metadata = metadata;
        world.answered(request).await;
        let asked = world.provider.requests().pop().unwrap();
        assert_eq!((asked.web_search, asked.user_location), expected);
    }
    world.close().await;
}
