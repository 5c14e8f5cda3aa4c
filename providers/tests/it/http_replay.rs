//! Goldens over a real HTTP connection, cut into single bytes and at random places.

use std::time::Duration;

use futures::future::join_all;
use slipstream_domain::ErrorClass;
use slipstream_testkit::replay::{Cut, Outcome, ReplayOptions, ReplayServer};
use tokio_util::sync::CancellationToken;

use crate::assembled::{Assembled, KEY, golden, impatient, provider, providers};
use crate::expected::{BROKEN, Expected, STREAMS};

async fn ask(server: &ReplayServer, name: &str, retries: u32) -> (Assembled, u32) {
    let providers =
        if name.starts_with("silence") { impatient(server, retries) } else { providers(server, retries) };
    let call = providers.call(&provider("openai"), golden(name), CancellationToken::new());
    (Assembled::of(call.deltas).await, call.attempts.made())
}

fn check(expected: &Expected, got: &Assembled) {
    let name = expected.golden;
    assert_eq!(got.thinking, expected.thinking, "{name}");
    assert_eq!(got.text, expected.text, "{name}");
    assert_eq!(got.end(), expected.end, "{name}: {:?}", got.error);
    assert_eq!(got.counts(), expected.usage, "{name}");
}

#[tokio::test]
async fn every_golden_comes_to_the_same_however_the_network_cuts_it() {
    for cut in [Cut::Whole, Cut::Bytes(1), Cut::Random(1), Cut::Random(2)] {
        let server = ReplayServer::start(ReplayOptions { cut, ..ReplayOptions::openai() }).await.unwrap();
        join_all(STREAMS.iter().chain(&BROKEN).map(async |expected| {
            let (got, attempts) = ask(&server, expected.golden, 0).await;
            check(expected, &got);
            assert_eq!(attempts, 1, "{}", expected.golden);
        }))
        .await;
        server.stop().await;
    }
}

#[tokio::test]
async fn sources_pictures_and_tools_arrive_beside_the_text() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
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
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
    let providers = providers(&server, 0);
    let request = crate::assembled::request("openai", "gpt-5-nano", vec![crate::assembled::user("why?")]);
    let got =
        Assembled::of(providers.call(&provider("openai"), request, CancellationToken::new()).deltas).await;
    assert!(got.thinking.starts_with("**Weighing") && got.text.starts_with("The sky"));
}

#[tokio::test]
async fn what_passes_by_itself_is_asked_again_at_most_twice() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
    server.script(["429_rate_limit", "cut_before_text"]);
    let (got, attempts) = ask(&server, "text", 2).await;
    assert_eq!((got.text.as_str(), attempts), ("Hello! How can I help you today?", 3));
    server.script(["500", "error_event", "502_html"]);
    let (got, attempts) = ask(&server, "text", 2).await;
    assert_eq!((got.end(), attempts), (Err(ErrorClass::Overloaded), 3));
}

#[tokio::test]
async fn nothing_is_asked_again_after_the_first_delta_or_a_refusal() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
    for name in ["cut_after_text", "error_after_text", "429_quota", "401_invalid_key", "429_rate_limit_long"]
    {
        assert_eq!(ask(&server, name, 2).await.1, 1, "{name}");
    }
}

#[tokio::test]
async fn tokens_of_a_failed_attempt_are_counted_too() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
    server.script(["failed"]);
    let (got, attempts) = ask(&server, "text", 2).await;
    assert_eq!(attempts, 2);
    assert_eq!(got.counts(), Some([12 + 36, 0, 10, 0, 12 + 46]));
}

#[tokio::test]
async fn no_error_text_and_no_url_holds_a_key_or_an_account() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
    for expected in STREAMS.iter().chain(&BROKEN).filter(|expected| expected.end.is_err()) {
        let (got, _) = ask(&server, expected.golden, 0).await;
        let shown = format!("{:?} {}", got.error, got.error.as_ref().unwrap());
        for secret in [KEY, "sk-", "org-AbC", "127.0.0.1"] {
            assert!(!shown.contains(secret), "{}: {shown}", expected.golden);
        }
    }
    let requests = server.requests();
    assert!(requests.iter().all(|r| r.path == "/v1/responses" && !r.path.contains(KEY)));
    assert!(requests.iter().all(|r| r.header("authorization") == Some(&format!("Bearer {KEY}"))));
    assert!(requests.iter().all(|r| !String::from_utf8_lossy(&r.body).contains(KEY)));
}

#[tokio::test]
async fn a_silent_vendor_is_left_alone_after_the_time_out() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
    let (got, _) = ask(&server, "silence_after_text", 0).await;
    assert_eq!(got.error.unwrap().message(), "the provider fell silent within 500 ms");
    assert_eq!(server.outcome(0, Duration::from_secs(5)).await.unwrap(), Outcome::ClientLeft);
}

#[tokio::test]
async fn a_vendor_that_is_not_there_is_a_network_error_without_its_address() {
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
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
    let server = ReplayServer::start(ReplayOptions::openai()).await.unwrap();
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
