//! What is sent: only what the model supports, and who said what.

use serde_json::{Value, json};
use slipstream_domain::{MaxTokens, Params, Temperature, TopP};
use slipstream_providers::{ChatRequest, UserLocation};
use slipstream_testkit::replay::{ReplayOptions, ReplayServer};
use tokio_util::sync::CancellationToken;

use crate::assembled::{Assembled, assistant, provider, providers, request, user};

/// The body a request becomes; the server refuses what the vendor would refuse.
async fn sent(request: ChatRequest) -> Value {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let call = providers(&server, 0).call(&provider("openai"), request, CancellationToken::new());
    let got = Assembled::of(call.deltas).await;
    assert_eq!(got.error, None);
    server.requests()[0].json()
}

fn everything() -> Params {
    Params {
        temperature: Some(Temperature::parse(0.5).unwrap()),
        top_p: Some(TopP::parse(0.9).unwrap()),
        max_tokens: Some(MaxTokens::parse(1000).unwrap()),
        ..Params::default()
    }
}

#[tokio::test]
async fn a_plain_question_is_sent_plainly() {
    let body = sent(request("openai", "gpt-4.1", vec![user("hello")])).await;
    let expected = json!({
        "model": "gpt-4.1",
        "stream": true,
        "store": false,
        "stream_options": { "include_obfuscation": false },
        "truncation": "auto",
        "input": [{ "role": "user", "content": "hello" }],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_reasoning_model_gets_reasoning_and_no_sampling() {
    let mut asked = request("openai", "gpt-5-nano", vec![user("hello")]);
    asked.params = everything();
    let body = sent(asked.clone()).await;
    assert_eq!(body["reasoning"], json!({ "effort": "medium", "summary": "auto" }));
    assert_eq!(body["max_output_tokens"], 1000);
    assert!(body.get("temperature").is_none() && body.get("top_p").is_none());
    asked.thinking = false;
    assert_eq!(sent(asked).await["reasoning"], json!({ "effort": "low" }));
}

#[tokio::test]
async fn another_model_gets_sampling_and_no_reasoning() {
    let mut asked = request("openai", "gpt-4o", vec![user("hello")]);
    asked.params = everything();
    let body = sent(asked).await;
    assert_eq!((&body["temperature"], &body["top_p"]), (&json!(0.5), &json!(0.9)));
    assert!(body.get("reasoning").is_none());
}

#[tokio::test]
async fn the_length_of_the_answer_is_kept_within_what_the_vendor_takes() {
    for (asked, sent_as) in [(1, 16), (16, 16), (5000, 5000), (9_999_999, 16_384)] {
        let mut request = request("openai", "gpt-4o", vec![user("hello")]);
        request.params.max_tokens = Some(MaxTokens::parse(asked).unwrap());
        assert_eq!(sent(request).await["max_output_tokens"], sent_as);
    }
}

#[tokio::test]
async fn web_search_is_offered_only_to_a_model_that_has_it_with_a_place_that_is_one() {
    let mut asked = request("openai", "gpt-4.1", vec![user("hello")]);
    asked.web_search = true;
    assert_eq!(sent(asked.clone()).await["tools"], json!([{ "type": "web_search" }]));
    asked.user_location = Some(UserLocation {
        city: Some("Zürich".to_owned()),
        country: Some("Switzerland".to_owned()),
        timezone: Some("Europe/Zurich".to_owned()),
        ..UserLocation::default()
    });
    let place = json!({ "type": "approximate", "city": "Zürich", "timezone": "Europe/Zurich" });
    assert_eq!(sent(asked).await["tools"], json!([{ "type": "web_search", "user_location": place }]));
    let mut without = request("openai", "gpt-4", vec![user("hello")]);
    without.web_search = true;
    assert!(sent(without).await.get("tools").is_none());
}

#[tokio::test]
async fn other_models_words_are_tagged_and_the_system_prompt_says_so() {
    let mut asked = request(
        "openai",
        "gpt-4.1",
        vec![
            user("one"),
            assistant("openai", "gpt-4.1", "mine"),
            user("two"),
            user("three"),
            assistant("anthropic", "claude-sonnet-4-20250514", "theirs"),
            user("four"),
        ],
    );
    asked.system = Some("Be brief.".to_owned());
    let body = sent(asked).await;
    let expected = json!([
        { "role": "user", "content": "one" },
        { "role": "assistant", "content": "mine" },
        { "role": "user", "content": "two\n\nthree" },
        { "role": "assistant", "content": "[anthropic/claude-sonnet-4-20250514]\ntheirs" },
        { "role": "user", "content": "four" },
    ]);
    assert_eq!(body["input"], expected);
    let instructions = body["instructions"].as_str().unwrap();
    assert!(instructions.starts_with("Be brief.\n\n") && instructions.contains("[provider/model]"));
}

#[tokio::test]
async fn a_request_without_a_key_is_sent_without_one_and_refused_by_the_vendor() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let mut asked = request("openai", "gpt-4.1", vec![user("hello")]);
    asked.key = None;
    let call = providers(&server, 2).call(&provider("openai"), asked, CancellationToken::new());
    let error = Assembled::of(call.deltas).await.error.unwrap();
    assert_eq!(error.to_string(), "auth: Missing bearer or basic authentication in header");
    assert_eq!((server.requests().len(), server.requests()[0].header("authorization")), (1, None));
}
