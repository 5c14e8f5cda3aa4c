//! Goldens over a real HTTP connection, cut into single bytes and at random places.

use std::time::Duration;

use futures::future::join_all;
use slipstream_domain::PictureSize;
use slipstream_domain::{ErrorClass, FinishReason};
use slipstream_testkit::replay::{Cut, Outcome, RecordedRequest, ReplayOptions, ReplayServer};
use tokio_util::sync::CancellationToken;

use crate::assembled::{
    Assembled, KEY, Tireless, golden, golden_of, impatient, provider, providers, request, user,
};
use crate::expected::{Expected, vendors};

async fn ask(server: &ReplayServer, name: &str, retries: u32) -> (Assembled, u32) {
    ask_of(server, "openai", "gpt-4.1", name, retries).await
}

async fn ask_of(
    server: &ReplayServer,
    vendor: &str,
    model: &str,
    name: &str,
    retries: u32,
) -> (Assembled, u32) {
    let providers =
        if name.starts_with("silence") { impatient(server, retries) } else { providers(server, retries) };
    let call = providers.call(&provider(vendor), golden_of(vendor, model, name), CancellationToken::new());
    (Assembled::of(call.deltas).await, call.attempts.made())
}

fn check(vendor: &str, expected: &Expected, got: &Assembled) {
    let name = format!("{vendor}/{}", expected.golden);
    assert_eq!(got.thinking, expected.thinking, "{name}");
    assert_eq!(got.text, expected.text, "{name}");
    assert_eq!(got.end(), expected.end, "{name}: {:?}", got.error);
    assert_eq!(got.counts(), expected.usage, "{name}");
}

#[tokio::test]
async fn every_golden_comes_to_the_same_however_the_network_cuts_it() {
    // In single bytes it is the decoders' own tests that go through all of them, without a network.
    for cut in [Cut::Whole, Cut::Bytes(5), Cut::Random(1)] {
        let server = ReplayServer::start(ReplayOptions { cut, ..ReplayOptions::shipped() }).await.unwrap();
        let tireless = Tireless::of(&server);
        for vendor in vendors() {
            // A pause is gone on with, so that is not how an answer over HTTP ends.
            let all =
                vendor.streams.iter().chain(&vendor.broken).filter(|each| each.golden != "finish_pause");
            join_all(all.map(async |expected| {
                let (got, attempts) = tireless.ask(vendor.name, vendor.model, expected.golden).await;
                check(vendor.name, expected, &got);
                assert_eq!(attempts, 1, "{}/{}", vendor.name, expected.golden);
            }))
            .await;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_prompt_becomes_a_picture_with_every_model_that_makes_them() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    for vendor in vendors() {
        for picture in vendor.pictures() {
            let mut asked = request(vendor.name, picture.model, vec![user("a red square")]);
            asked.params.picture_size = PictureSize::parse(1920, 1080).ok();
            let call = providers(&server, 0).call(&provider(vendor.name), asked, CancellationToken::new());
            let got = Assembled::of(call.deltas).await;
            let name = picture.model;
            assert_eq!(got.end(), Ok(picture.end), "{name}: {:?}", got.error);
            let images: Vec<_> = picture.mime.iter().map(|mime| ((*mime).to_owned(), 70)).collect();
            assert_eq!((got.images.clone(), got.text.as_str()), (images, picture.text), "{name}");
            assert_eq!(got.counts(), picture.usage, "{name}");
        }
    }
}

#[tokio::test]
async fn a_paused_answer_is_gone_on_with_and_its_tokens_are_added_up() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    server.script(["finish_pause", "text"]);
    let mut asked = golden_of("anthropic", "claude-sonnet-4-20250514", "text");
    asked.web_search = true;
    let call = providers(&server, 0).call(&provider("anthropic"), asked, CancellationToken::new());
    let got = Assembled::of(call.deltas).await;
    assert_eq!(got.end(), Ok(FinishReason::Stop), "{:?}", got.error);
    assert_eq!(got.text, "I'll look that up.Hello! How can I help you today?");
    assert_eq!(got.counts(), Some([335 + 25, 200, 40 + 15, 0, 375 + 40]));
    let sent_back = &server.requests()[1].json()["messages"][1];
    let kinds: Vec<_> = sent_back["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["text", "server_tool_use", "web_search_tool_result"]);
    assert_eq!(sent_back["content"][1]["input"]["query"], "rust 2024 edition release");
}

#[tokio::test]
async fn thinking_comes_with_its_proof_and_encrypted_thinking_as_a_proof_alone() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let model = "claude-sonnet-4-20250514";
    let (thinking, _) = ask_of(&server, "anthropic", model, "thinking", 0).await;
    assert_eq!(thinking.signatures, ["EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"]);
    let (redacted, _) = ask_of(&server, "anthropic", model, "thinking_redacted", 0).await;
    assert!(redacted.signatures[0].starts_with("redacted:Emw") && redacted.signatures[1] == "EsigA");
}

#[tokio::test]
async fn sources_are_web_addresses_with_every_vendor_that_searches() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    for vendor in vendors() {
        if !vendor.streams.iter().any(|expected| expected.golden == "search") {
            continue;
        }
        let (search, _) = ask_of(&server, vendor.name, vendor.model, "search", 0).await;
        assert!(!search.citations.is_empty(), "{}", vendor.name);
        assert!(search.citations.iter().all(|source| source.url.starts_with("https://")), "{}", vendor.name);
    }
}

#[tokio::test]
async fn a_vendor_that_says_how_long_to_wait_is_believed_wherever_it_says_it() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    for (vendor, model, millis) in [
        ("openai", "gpt-4.1", 20),
        ("gemini", "gemini-2.5-flash", 20),
        ("anthropic", "claude-sonnet-4-20250514", 1000),
        ("compatible", "qwen3:8b", 20),
    ] {
        let (got, _) = ask_of(&server, vendor, model, "429_rate_limit", 0).await;
        assert_eq!(got.error.unwrap().retry_after(), Some(Duration::from_millis(millis)), "{vendor}");
    }
}

#[tokio::test]
async fn sources_pictures_and_tools_arrive_beside_the_text() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let (search, _) = ask(&server, "search", 0).await;
    let sources: Vec<_> = search.citations.iter().map(|c| (c.url.as_str(), c.title.as_deref())).collect();
    let first = "https://blog.rust-lang.org/2025/02/20/Rust-1.85.0/";
    let second = "https://doc.rust-lang.org/edition-guide/rust-2024/";
    assert_eq!(sources, [(first, Some("Announcing Rust 1.85.0 and Rust 2024")), (second, None)]);
    let (image, _) = ask(&server, "image", 0).await;
    assert_eq!(image.images, [("image/png".to_owned(), 69)]);
}

#[tokio::test]
async fn the_default_golden_thinks_and_then_answers() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let providers = providers(&server, 0);
    let request = crate::assembled::request("openai", "gpt-5-nano", vec![crate::assembled::user("why?")]);
    let got =
        Assembled::of(providers.call(&provider("openai"), request, CancellationToken::new()).deltas).await;
    assert!(got.thinking.starts_with("**Weighing") && got.text.starts_with("The sky"));
}

#[tokio::test]
async fn what_passes_by_itself_is_asked_again_at_most_twice() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    server.script(["429_rate_limit", "cut_before_text"]);
    let (got, attempts) = ask(&server, "text", 2).await;
    assert_eq!((got.text.as_str(), attempts), ("Hello! How can I help you today?", 3));
    server.script(["500", "error_event", "502_html"]);
    let (got, attempts) = ask(&server, "text", 2).await;
    assert_eq!((got.end(), attempts), (Err(ErrorClass::Overloaded), 3));
}

#[tokio::test]
async fn nothing_is_asked_again_after_the_first_delta_or_a_refusal() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    for name in ["cut_after_text", "error_after_text", "429_quota", "401_invalid_key", "429_rate_limit_long"]
    {
        assert_eq!(ask(&server, name, 2).await.1, 1, "{name}");
    }
}

#[tokio::test]
async fn tokens_of_a_failed_attempt_are_counted_too() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    server.script(["failed"]);
    let (got, attempts) = ask(&server, "text", 2).await;
    assert_eq!(attempts, 2);
    assert_eq!(got.counts(), Some([12 + 36, 0, 10, 0, 12 + 46]));
}

#[tokio::test]
async fn no_error_text_and_no_url_holds_a_key_or_an_account() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let tireless = Tireless::of(&server);
    for vendor in vendors() {
        for expected in vendor.streams.iter().chain(&vendor.broken).filter(|expected| expected.end.is_err()) {
            let (got, _) = tireless.ask(vendor.name, vendor.model, expected.golden).await;
            let shown = format!("{:?} {}", got.error, got.error.as_ref().unwrap());
            for secret in [KEY, "sk-", "org-AbC", "LLM|", "127.0.0.1"] {
                assert!(!shown.contains(secret), "{}/{}: {shown}", vendor.name, expected.golden);
            }
        }
    }
    let requests = server.requests();
    assert!(
        requests.iter().all(|r| !r.path.contains(KEY) && !String::from_utf8_lossy(&r.body).contains(KEY))
    );
    let places = ["authorization", "x-api-key", "x-goog-api-key"];
    let of = |r: &RecordedRequest| places.iter().filter(|name| r.header(name).is_some()).count();
    assert!(requests.iter().all(|r| of(r) == 1), "in one header each");
}

#[tokio::test]
async fn a_silent_vendor_is_left_alone_after_the_time_out() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let (got, _) = ask(&server, "silence_after_text", 0).await;
    assert_eq!(got.error.unwrap().message(), "the provider fell silent within 500 ms");
    assert_eq!(server.outcome(0, Duration::from_secs(5)).await.unwrap(), Outcome::ClientLeft);
}

#[tokio::test]
async fn a_vendor_at_work_on_a_picture_may_be_silent_for_longer() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    for (vendor, model) in [("openai", "gpt-image-1"), ("openai", "dall-e-3"), ("grok", "grok-2-image-1212")]
    {
        server.script(["silence_before_text"]);
        let asked = request(vendor, model, vec![user("a red square")]);
        let call = impatient(&server, 0).call(&provider(vendor), asked, CancellationToken::new());
        let error = Assembled::of(call.deltas).await.error.unwrap();
        // The golden is a stream of events, which is no picture where one document is expected.
        let says =
            if model == "gpt-image-1" { "fell silent within 700 ms" } else { "instead of application/json" };
        assert!(error.message().contains(says), "{model}: {error}");
    }
}

#[tokio::test]
async fn a_vendor_that_is_not_there_is_a_network_error_without_its_address() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let providers = providers(&server, 0);
    server.stop().await;
    let got =
        Assembled::of(providers.call(&provider("openai"), golden("text"), CancellationToken::new()).deltas)
            .await;
    let error = got.error.unwrap();
    assert_eq!(error.class(), ErrorClass::Network);
    assert!(error.message().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_open_circuit_asks_nobody() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let providers = providers(&server, 0);
    let ask = async || {
        let call = providers.call(&provider("openai"), golden("500"), CancellationToken::new());
        (Assembled::of(call.deltas).await, call.attempts.made())
    };
    for _ in 0..5 {
        assert_eq!(ask().await.1, 1);
    }
    let (got, attempts) = ask().await;
    let error = got.error.unwrap();
    assert_eq!((error.class(), attempts), (ErrorClass::Overloaded, 0));
    assert!(error.message().contains("asked again in"), "{error}");
    assert_eq!(server.requests().len(), 5);
}
