//! Whatever a client sends: the answer names what is wrong and what would be right; the socket, the process and other
//! users' replies live on.

use serde_json::json;

use crate::client::{Client, text};
use crate::world::World;

/// Sends a text and gets the `error` frame for it.
async fn error_for(client: &mut Client, sent: &str) -> (String, String) {
    client.send_text(sent).await;
    let error = client.next().await;
    assert_eq!(error["type"], "error", "{error}");
    assert!(error["requestId"].as_str().unwrap().parse::<uuid::Uuid>().is_ok());
    (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

/// Sends an `ai_chat_request` and gets the `ai_chat_error` for it.
async fn refusal_of(client: &mut Client, request: &str) -> String {
    client.send_text(request).await;
    let frames = client.until_end().await;
    let [shown, error] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!((&error["type"], &shown["chunk"]), (&json!("ai_chat_error"), &error["message"]));
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_no_frame_is_answered_with_what_one_is() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    for sent in ["hello", "", "[1,2]", "null", "{\"type\":", "{}", "{\"type\":7}"] {
        let (code, message) = error_for(&mut client, sent).await;
        assert_eq!(code, "bad_frame", "{sent}");
        assert!(message.contains("type"), "{sent}: {message}");
    }
    let (code, message) = error_for(&mut client, r#"{"type":"make_coffee"}"#).await;
    assert_eq!(code, "unknown_type");
    assert!(message.contains("make_coffee") && message.contains("ai_chat_request"));
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn ten_thousand_levels_of_json_are_refused() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        assert_eq!(error_for(&mut client, &deep).await.0, "bad_frame");
        let within = format!(r#"{{"type":"ai_chat_request","prompt":{deep}}}"#);
        let (code, message) = error_for(&mut client, &within).await;
        assert_eq!(code, "bad_frame");
        assert!(message.contains("nested"), "{message}");
    }
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_missing_or_wrong_field_of_a_request_is_named_with_what_would_be_right() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    let request = |fields: &str| format!(r#"{{"type":"ai_chat_request",{fields}}}"#);
    let with = |field: &str| {
        request(&format!(r#""conversationId":"new-chat","prompt":"hi","provider":"openai",{field}"#))
    };
    for (sent, wanted) in [
        (
            request(r#""prompt":"hi","provider":"openai""#),
            "conversationId is missing; it must be `new-chat` or",
        ),
        (
            request(r#""conversationId":"new-chat","provider":"openai""#),
            "prompt is missing; it must be a text",
        ),
        (request(r#""conversationId":"new-chat","prompt":7,"provider":"openai""#), "prompt must be a text"),
        (
            request(r#""conversationId":"new-chat","prompt":" ","provider":"openai""#),
            "prompt must not be empty",
        ),
        (
            request(r#""conversationId":"new-chat","prompt":"hi""#),
            "provider is missing; it must be a provider's id",
        ),
        (
            request(r#""conversationId":"new-chat","prompt":"hi","provider":"opanai""#),
            "provider must be openai or simulated",
        ),
        (with(r#""model":"gpt-6""#), "model must be gpt-5-nano"),
        (with(r#""temperature":1e999"#), "temperature must be a number from 0 to 2"),
        (with(r#""temperature":-1"#), "temperature must be a number from 0 to 2"),
        (with(r#""topP":"much""#), "topP must be a number from 0 to 1"),
        (with(r#""maxTokens":0"#), "maxTokens must be a whole number from 1 to 10000000"),
        (with(r#""systemPrompt":{}"#), "systemPrompt must be a text"),
    ] {
        let message = refusal_of(&mut client, &sent).await;
        assert!(message.starts_with(wanted), "{sent}: {message}");
    }
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_prompt_of_a_mebibyte_is_refused_with_the_limit() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    let prompt = "x".repeat(1024 * 1024);
    let sent = json!({"type": "ai_chat_request", "conversationId": "new-chat", "prompt": prompt, "provider": "openai"});
    let message = refusal_of(&mut client, &sent.to_string()).await;
    assert_eq!(message, "prompt has 1048576 bytes; at most 262144 are allowed");
    client.send_text(&sent.to_string()).await;
    assert_eq!(client.next_of("ai_chat_error").await["stopReason"], "too_large");
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_nul_in_a_prompt_is_replaced() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    client.send_text(r#"{"type":"ai_chat_request","conversationId":"new-chat","prompt":"a\u0000b","provider":"openai"}"#).await;
    assert_eq!(client.next().await["title"], "a\u{FFFD}b");
    let mut owner = world.worker().await;
    owner.say("fine").await;
    owner.complete().await;
    assert_eq!(text(&client.until_end().await), "fine");
    world.end().await;
}

#[tokio::test]
async fn a_binary_frame_is_refused_and_the_socket_lives() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    client.send_binary(br#"{"type":"ping"}"#).await;
    let error = client.next().await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("bad_frame")));
    client.is_alive().await;
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn invalid_utf8_closes_the_socket_with_1007_and_no_other() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    client.is_alive().await;
    // A final text frame of two bytes, masked with zeros (RFC 6455, 5.2).
    client.send_raw(&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]).await;
    assert_eq!(client.close_code().await, 1007);
    bystander.noticed_nothing().await;
    world.end().await;
}

#[tokio::test]
async fn a_huge_frame_closes_the_socket_with_1009_and_no_other() {
    let world = World::start().await;
    let bystander = world.bystander().await;
    let mut client = world.client("a@example.com").await;
    client.is_alive().await;
    // The head of a text frame of 1 GiB; what follows it need not be sent.
    client.send_raw(&[0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]).await;
    assert_eq!(client.close_code().await, 1009);
    bystander.noticed_nothing().await;
    world.end().await;
}
