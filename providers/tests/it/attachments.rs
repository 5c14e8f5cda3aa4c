//! Files: who can read which, in which form they are taken, and what is refused before anybody is asked.

use std::time::Duration;

use slipstream_domain::ErrorClass;
use slipstream_providers::{ApiKey, Attachment, ProviderError, Source, Turn, fit};
use slipstream_testkit::replay::{ReplayOptions, ReplayServer};
use tokio_util::sync::CancellationToken;

use crate::assembled::{Assembled, KEY, offline, provider, providers, request, user};

fn file(name: &str, mime: &str, source: Source) -> Attachment {
    Attachment { mime: mime.to_owned(), filename: Some(name.to_owned()), size: 1000, source }
}

fn inline(name: &str, mime: &str, bytes: &'static [u8]) -> Attachment {
    file(name, mime, Source::Inline(bytes.into()))
}

async fn refusal(of: &str, model: &str, attachment: Attachment) -> ProviderError {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let turn = Turn::User { text: "look".to_owned(), attachments: vec![attachment] };
    let call =
        providers(&server, 2).call(&provider(of), request(of, model, vec![turn]), CancellationToken::new());
    let error = Assembled::of(call.deltas).await.error.unwrap();
    assert!(server.requests().is_empty(), "nobody is asked");
    error
}

#[test]
fn a_vendor_says_in_which_forms_it_takes_a_file() {
    let providers = offline();
    let intake = |of: &str, model: &str, mime: &str| {
        let intake = providers.intake(&request(of, model, Vec::new()).model, mime).unwrap();
        (intake.url, intake.inline.is_some(), intake.upload)
    };
    assert_eq!(intake("openai", "gpt-4.1", "image/png"), (true, true, false));
    assert_eq!(intake("anthropic", "claude-sonnet-4-20250514", "application/pdf"), (true, true, false));
    assert_eq!(intake("gemini", "gemini-2.5-flash", "application/pdf"), (false, true, true));
    assert_eq!(intake("compatible", "qwen3:8b", "image/jpeg"), (false, true, false));
    assert_eq!(intake("grok", "grok-3-mini", "text/csv"), (false, true, false), "text goes into the message");
}

#[tokio::test]
async fn what_the_model_cannot_read_is_refused_by_name_before_anybody_is_asked() {
    let error = refusal("grok", "grok-3-mini", inline("photo.png", "image/png", b"x")).await;
    assert_eq!(error.to_string(), "invalid_request: Grok 3 Mini cannot read photo.png (image/png)");
    let error = refusal("openai", "gpt-4.1", inline("film.mp4", "video/mp4", b"x")).await;
    assert_eq!(error.message(), "GPT-4.1 cannot read film.mp4 (video/mp4)");
    let error = refusal("openai", "gpt-4.1", inline("notes.txt", "text/plain", b"\xff")).await;
    assert_eq!(
        (error.class(), error.message()),
        (ErrorClass::InvalidRequest, "notes.txt is not text in UTF-8")
    );
    let unreadable = offline().intake(&request("grok", "grok-3-mini", Vec::new()).model, "image/png");
    assert!(unreadable.unwrap_err().to_string().contains("Grok 3 Mini cannot read"));
}

#[tokio::test]
async fn a_form_that_the_vendor_does_not_take_is_a_fault_of_ours() {
    let url = Source::Url("https://files.example/photo.png".to_owned());
    let error = refusal("gemini", "gemini-2.5-flash", file("photo.png", "image/png", url)).await;
    assert_eq!(error.class(), ErrorClass::Internal);
    let uploaded = Source::Uploaded("files/1".to_owned());
    let error = refusal("openai", "gpt-4.1", file("photo.png", "image/png", uploaded)).await;
    assert_eq!(error.class(), ErrorClass::Internal);
}

#[tokio::test]
async fn gemini_keeps_a_large_file_and_the_key_does_not_go_where_the_upload_goes() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let key = ApiKey::parse(&KEY.into()).unwrap();
    let paper = inline("paper.pdf", "application/pdf", b"%PDF-1.7");
    let kept = providers(&server, 0).upload(&provider("gemini"), Some(&key), &paper).await.unwrap();
    assert_eq!(kept.name, "https://generativelanguage.googleapis.com/v1beta/files/abc-123");
    assert_eq!(kept.kept_for, Duration::from_hours(47));
    let requests = server.requests();
    let asked: Vec<_> = requests.iter().map(|r| (r.method.as_str(), r.path.as_str())).collect();
    let expected = [
        ("POST", "/gemini/upload/v1beta/files"),
        ("POST", "/gemini/upload/session"),
        ("GET", "/gemini/v1beta/files/abc-123"),
    ];
    assert_eq!(asked, expected);
    assert_eq!(requests[0].header("x-goog-upload-header-content-type"), Some("application/pdf"));
    assert_eq!(requests[0].header("x-goog-upload-header-content-length"), Some("8"));
    assert_eq!((requests[1].header("x-goog-api-key"), &requests[1].body[..]), (None, &b"%PDF-1.7"[..]));
    let nobody = providers(&server, 0).upload(&provider("openai"), Some(&key), &paper).await.unwrap_err();
    assert_eq!(nobody.message(), "openai keeps no files");
}

#[tokio::test]
async fn an_upload_without_a_right_key_is_refused_in_words_without_it() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let key = ApiKey::parse(&"invalid-secret".into()).unwrap();
    let paper = inline("paper.pdf", "application/pdf", b"%PDF-1.7");
    let error = providers(&server, 0).upload(&provider("gemini"), Some(&key), &paper).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Auth);
    assert!(!error.message().contains("invalid-secret"), "{error}");
}

#[test]
fn files_count_when_the_history_is_cut() {
    let photos = |n| Turn::User {
        text: "look".to_owned(),
        attachments: (0..n).map(|_| inline("photo.png", "image/png", b"x")).collect(),
    };
    // 32,768 tokens, of which the answer gets 4,096; a picture takes 1,600.
    let mut asked = request("grok", "grok-2-vision-1212", vec![photos(16), photos(1), user("and now?")]);
    assert_eq!(fit(&mut asked), None);
    let mut asked = request("grok", "grok-2-vision-1212", vec![photos(17), photos(1), user("and now?")]);
    assert_eq!(fit(&mut asked).unwrap().turns_dropped, 1);
}
