//! One conversation over HTTP, its settings, what there is to choose from, and what was taken.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use slipstream_commands::suggest_title;
use slipstream_domain::Title;
use slipstream_domain::conversation::SuggestedTitle;

use crate::http::{get, send};
use crate::world::{Twist, World};

const ME: &str = "email=a@example.com";

fn path(id: &str) -> String {
    format!("/v1/conversations/{id}?{ME}")
}

#[tokio::test]
async fn what_is_set_is_shown_told_and_holds_for_the_next_request() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let id = world.exchange(&mut client).await;
    let body = json!({
        "title": "mine", "settings": {"temperature": 0.5, "enableThinking": false, "systemPrompt": "Be brief."},
    });
    let changed = send(world.address, "PATCH", &path(&id), &body.to_string()).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let shown = get(world.address, &path(&id)).await.json();
    assert_eq!(changed.json(), shown);
    assert_eq!((&shown["id"], &shown["title"], &shown["version"]), (&json!(id), &json!("mine"), &json!(7)));
    let settings = json!({"temperature": 0.5, "enableThinking": false, "systemPrompt": "Be brief."});
    assert_eq!(shown["settings"], settings);

    let titled = client.next_of("conversation:title_updated").await;
    assert_eq!(
        (&titled["title"], &titled["source"], &titled["version"]),
        (&json!("mine"), &json!("user"), &json!(6))
    );
    let set = client.next_of("conversation:settings_updated").await;
    let told = json!({
        "type": "conversation:settings_updated", "conversationId": id, "version": 7, "temperature": 0.5,
        "enableThinking": false, "systemPrompt": "Be brief.",
    });
    assert_eq!(set, told);

    client
        .send(json!({
            "type": "ai_chat_request", "conversationId": id, "prompt": "more", "provider": "simulated",
            "enableWebSearch": true,
        }))
        .await;
    let mut owner = world.worker().await;
    let params = serde_json::to_value(owner.asked().params).unwrap();
    assert_eq!(params, json!({"temperature": 0.5, "enableThinking": false, "enableWebSearch": true}));
    owner.say("hi").await;
    assert_eq!(client.next_of("ai_chat_chunk").await["temperature"], 0.5);
    let unset = r#"{"settings":{"temperature":null,"systemPrompt":""}}"#;
    let changed = send(world.address, "PATCH", &path(&id), unset).await.json();
    assert_eq!(changed["settings"], json!({"enableThinking": false}));
    world.end().await;
}

#[tokio::test]
async fn a_wrong_change_is_a_problem_that_names_the_field_and_what_would_be_right() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let id = world.exchange(&mut client).await;
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(600));
    for (body, detail) in [
        ("", "the body must be a JSON object with title, or settings, or both"),
        ("[]", "the body must be a JSON object"),
        (r#"{"titel":"x"}"#, "the body must be a JSON object with title"),
        (r#"{"title":7}"#, "title must be a text"),
        (r#"{"title":" "}"#, "title must not be empty"),
        (&long, "title has 600 bytes; at most 512 are allowed"),
        (r#"{"settings":[]}"#, "settings must be an object"),
        (r#"{"settings":{"temperature":3}}"#, "settings.temperature must be a number from 0 to 2"),
        (r#"{"settings":{"temperature":"hot"}}"#, "settings.temperature must be a number from 0 to 2"),
        (r#"{"settings":{"topP":-1}}"#, "settings.topP must be a number from 0 to 1"),
        (r#"{"settings":{"maxTokens":1.5}}"#, "settings.maxTokens must be a whole number from 1 to 10000000"),
        (r#"{"settings":{"enableThinking":"yes"}}"#, "settings.enableThinking must be true or false"),
        (r#"{"settings":{"systemPrompt":7}}"#, "settings.systemPrompt must be a text"),
    ] {
        let refused = send(world.address, "PATCH", &path(&id), body).await;
        let problem = refused.json();
        assert_eq!((refused.status, &problem["code"]), (400, &json!("bad_request")), "{body}");
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{body}: {problem}");
    }
    let huge = "x".repeat(3 * 1024 * 1024);
    assert_eq!(send(world.address, "PATCH", &path(&id), &huge).await.status, 413);
    assert_eq!(get(world.address, &path(&id)).await.json()["version"], 5);
    world.end().await;
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_and_may_be_deleted_again() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let mut elsewhere = world.v1("a@example.com").await;
    let id = world.exchange(&mut client).await;
    for _ in 0..2 {
        let deleted = send(world.address, "DELETE", &path(&id), "").await;
        assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    }
    assert_eq!(client.next_of("conversation:deleted").await["version"], 6);
    let news = elsewhere.next_of("conversation:deleted").await;
    assert_eq!(news, json!({"type": "conversation:deleted", "conversationId": id}));
    let list = get(world.address, &format!("/v1/conversations?{ME}")).await.json();
    assert_eq!(list["items"], json!([]));
    for method in ["GET", "PATCH"] {
        assert_eq!(send(world.address, method, &path(&id), r#"{"title":"x"}"#).await.status, 404, "{method}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_another_users_does_not_exist() {
    let world = World::start().await;
    let mut stranger = world.v1("b@example.com").await;
    let foreign = world.exchange(&mut stranger).await;
    world.client("a@example.com").await.is_alive().await;
    for id in [&foreign, "home", "0190163d-8694-739b-aea5-966c26f8ad91", "%ff"] {
        for method in ["GET", "PATCH", "DELETE"] {
            let refused = send(world.address, method, &path(id), r#"{"title":"mine"}"#).await;
            assert_eq!(
                (refused.status, &refused.json()["code"]),
                (404, &json!("not_found")),
                "{method} {id}"
            );
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_generated_title_is_news_for_v1_and_nothing_for_compat() {
    let world = World::start().await;
    let mut compat = world.client("a@example.com").await;
    let mut elsewhere = world.v1("a@example.com").await;
    compat.ask("new-chat", "hello there").await;
    let id = compat.next().await["conversationId"].as_str().unwrap().to_owned();
    let mut owner = world.worker().await;
    owner.say("hi").await;
    let (user, conversation) = (owner.asker(), id.parse().unwrap());
    owner.complete().await;
    compat.until_end().await;
    let suggested = SuggestedTitle { title: Title::parse("A greeting").unwrap(), usage: None, cost: None };
    assert!(suggest_title(&world.app, user, conversation, suggested).await.unwrap());
    let provisional = elsewhere.next_of("conversation:title_updated").await;
    assert_eq!(provisional["source"], "provisional");
    let told = json!({
        "type": "conversation:title_updated", "conversationId": id, "title": "A greeting", "source": "generated",
    });
    assert_eq!(elsewhere.next_of("conversation:title_updated").await, told);
    compat.hears_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn models_say_whether_they_can_be_asked() {
    for (free_messages, openai) in [(None, false), (NonZeroU32::new(1), true)] {
        let world = World::with(Twist { free_messages, ..Twist::default() }).await;
        world.client("a@example.com").await.is_alive().await;
        let models = get(world.address, &format!("/v1/models?{ME}")).await.json();
        let usable = |n: usize| (&models["providers"][n]["id"], &models["providers"][n]["usable"]);
        assert_eq!(usable(0), (&json!("openai"), &json!(openai)));
        assert_eq!(usable(1), (&json!("simulated"), &json!(true)));
        let model =
            json!({"id": "gpt-5-nano", "name": "GPT-5-NANO", "capabilities": ["chat"], "maxOutput": 7});
        assert_eq!(models["providers"][0]["models"], json!([model]));
        assert_eq!(models["defaultProvider"], "openai");
        world.end().await;
    }
}

#[tokio::test]
async fn a_user_sees_what_they_took_day_by_day_and_in_all() {
    let world = World::start().await;
    let mut client = world.v1("a@example.com").await;
    let mut usage = Value::Null;
    world.exchange(&mut client).await;
    world.exchange(&mut client).await;
    // The read model follows the log; nobody waits for it.
    for _ in 0..100 {
        usage = get(world.address, &format!("/v1/usage?{ME}")).await.json();
        if usage["total"]["generations"]["completed"] == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let total = json!({
        "generations": {"completed": 2, "cancelled": 0, "interrupted": 0, "failed": 0, "estimated": 0},
        "tokens": {"input": 6, "cachedInput": 0, "output": 8, "reasoning": 0},
        "costMicroUsd": 0,
        "titles": {"made": 0, "tokens": 0, "costMicroUsd": 0},
    });
    assert_eq!(usage["total"], total);
    let item = &usage["items"][0];
    assert_eq!((&item["provider"], &item["model"]), (&json!("simulated"), &json!("simulated-1")));
    assert_eq!(item["tokens"], total["tokens"]);

    let past = get(world.address, &format!("/v1/usage?{ME}&from=2020-01-31&to=2020-02-01")).await.json();
    assert_eq!(
        (&past["from"], &past["to"], &past["items"]),
        (&json!("2020-01-31"), &json!("2020-02-01"), &json!([]))
    );
    for (query, detail) in [
        ("from=yesterday", "from must be a day in UTC, such as 2026-11-24"),
        ("to=2026-02-30", "to must be a day in UTC"),
        ("from=2026-02-02&to=2026-02-01", "from must not be after to"),
        ("from=2024-01-01&to=2026-02-01", "from and to may span 366 days at the most"),
        ("from=2024-01-01&from=2024-01-01", "the query may have from and to, each once"),
    ] {
        let refused = get(world.address, &format!("/v1/usage?{ME}&{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.json()["detail"].as_str().unwrap().starts_with(detail), "{query}: {}", refused.body);
    }
    world.end().await;
}
