//! The simulated provider: what it says can be known beforehand.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use slipstream_domain::{ErrorClass, FinishReason};
use slipstream_providers::simulated::{Directive, greeting, title};
use slipstream_providers::{Catalogue, Delta, Providers, Settings};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::assembled::{Assembled, provider, request, user};

fn providers() -> Providers {
    let catalogue = Arc::new(Catalogue::shipped().unwrap());
    Providers::new(&Settings::default(), &catalogue, Arc::new(|| 0.5)).unwrap()
}

async fn answer(of: &str, model: &str, prompt: &str) -> (Assembled, u32) {
    let request = request(of, model, vec![user(prompt)]);
    let call = providers().call(&provider("simulated"), request, CancellationToken::new());
    (Assembled::of(call.deltas).await, call.attempts.made())
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_exactly_what_its_directive_says() {
    let prompt = "go [[chunks=200 delay_ms=20 bytes=17 thinking=10]]";
    let directive = Directive::find(prompt).unwrap().unwrap();
    let started = Instant::now();
    let (got, attempts) = answer("simulated", "simulated", prompt).await;
    assert_eq!((got.text.as_str(), got.text.len()), (directive.text().as_str(), 3400));
    assert_eq!(got.thinking, directive.thinking_text());
    assert_eq!((got.finish, attempts), (Some(FinishReason::Stop), 1));
    assert_eq!(got.usage.unwrap().output, 3400 / 4 + 43);
    assert!(started.elapsed() >= Duration::from_millis(210 * 20));
}

#[tokio::test(start_paused = true)]
async fn it_fails_where_and_how_it_is_told() {
    let prompt = "[[chunks=9 bytes=4 fail_after=2 error=timeout]]";
    let (got, attempts) = answer("simulated", "simulated", prompt).await;
    assert_eq!((got.text.as_str(), got.end(), attempts), ("1 2 3 4 ", Err(ErrorClass::Timeout), 1));
    let (got, attempts) = answer("simulated", "simulated", "[[error=overloaded]]").await;
    assert_eq!(
        (got.end(), attempts),
        (Err(ErrorClass::Overloaded), 3),
        "as with a vendor, it is asked again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_directive_is_answered_by_an_error_that_says_what_is_right() {
    let (got, attempts) = answer("simulated", "simulated", "[[chunks=many]]").await;
    let error = got.error.unwrap();
    assert_eq!((error.class(), attempts), (ErrorClass::InvalidRequest, 1));
    assert_eq!(
        error.message(),
        "chunks of the directive must be a whole number from 1 to 100000, not \"many\""
    );
}

#[tokio::test(start_paused = true)]
async fn in_place_of_a_vendor_it_says_which_setting_holds_the_key() {
    let (got, _) = answer("openai", "gpt-5-nano", "hello").await;
    assert!(got.text.contains("No key for OpenAI is set"), "{}", got.text);
    assert!(got.text.contains("GPT-5 nano") && got.text.contains("OPENAI_API_KEY"));
    let asked = request("openai", "gpt-5-nano", vec![user("hello")]);
    assert_eq!(got.text, greeting(&Catalogue::shipped().unwrap(), &asked.model));
    let (own, _) = answer("simulated", "simulated", "hello").await;
    assert!(own.text.starts_with("Hello! This is Slipstream's simulated provider"));
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_it_at_once() {
    let cancel = CancellationToken::new();
    let request = request("simulated", "simulated", vec![user("[[chunks=100 delay_ms=60000]]")]);
    let mut call = providers().call(&provider("simulated"), request, cancel.clone());
    assert!(call.deltas.next().await.is_some());
    let started = Instant::now();
    cancel.cancel();
    assert!(call.deltas.next().await.is_none());
    assert!(started.elapsed() < Duration::from_millis(1));
}

#[tokio::test]
async fn a_provider_without_an_adapter_is_refused_by_name() {
    let request = request("compatible", "qwen3:8b", vec![user("hello")]);
    let call = providers().call(&provider("compatible"), request, CancellationToken::new());
    let error = Assembled::of(call.deltas).await.error.unwrap();
    assert_eq!(error.class(), ErrorClass::InvalidRequest);
    assert!(error.message().contains("compatible"));
}

#[tokio::test]
async fn it_makes_a_picture_where_one_is_asked_for_and_says_how_it_is() {
    let request = request("openai", "gpt-image-1", vec![user("a red disc")]);
    let call = providers().call(&provider("simulated"), request, CancellationToken::new());
    let deltas: Vec<_> = call.deltas.map(Result::unwrap).collect().await;
    let [Delta::ToolStatus { .. }, Delta::Image { mime, bytes }, Delta::Usage(_), Delta::Finish { .. }] =
        &deltas[..]
    else {
        panic!("{deltas:?}")
    };
    assert!(mime == "image/png" && bytes.starts_with(b"\x89PNG"));
}

#[test]
fn a_title_is_the_first_words_without_the_directive() {
    for (prompt, expected) in [
        ("hello", "Hello"),
        ("one [[chunks=3]] two three  four\nfive six seven", "One two three four five six"),
        ("[[chunks=3]]", "A simulated conversation"),
        ("écoute", "Écoute"),
    ] {
        assert_eq!(title(prompt), expected);
    }
}
