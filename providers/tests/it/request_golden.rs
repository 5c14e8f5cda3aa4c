//! What each vendor is sent, field for field, as golden JSON beside the vendor's streams (`requests/<case>.json`). Every
//! request goes over HTTP to the replay server, which refuses what its vendor would refuse.

use std::path::PathBuf;

use serde_json::Value;
use slipstream_domain::{MaxTokens, Params, PictureSize, Temperature, TopP};
use slipstream_providers::{Attachment, ChatRequest, SignedThinking, Source, Turn, UserLocation};
use slipstream_testkit::replay::{ReplayOptions, ReplayServer};
use tokio_util::sync::CancellationToken;

use crate::assembled::{Assembled, assistant, provider, providers, request, user};
use crate::expected::{Vendor, vendors};

/// Every case: its name and the request. All are asked of every vendor, so that what one does not support is seen to be
/// left out.
fn cases(vendor: &Vendor) -> Vec<(&'static str, ChatRequest)> {
    let (name, model) = (vendor.name, vendor.model);
    let ask = || request(name, model, vec![user("hello")]);
    let silent = ChatRequest { thinking: false, ..ask() };
    let location = UserLocation {
        city: Some("Zürich".to_owned()),
        country: Some("CH".to_owned()),
        ..UserLocation::default()
    };
    vec![
        ("plain", silent.clone()),
        ("thinking", ask()),
        ("parameters", ChatRequest { params: params(4000), ..silent }),
        ("parameters_with_thinking", ChatRequest { params: params(4000), ..ask() }),
        ("little_room", ChatRequest { params: params(1200), ..ask() }),
        ("no_room", ChatRequest { params: params(100), ..ask() }),
        ("search", ChatRequest { web_search: true, user_location: Some(location), ..ask() }),
        (
            "history",
            ChatRequest { system: Some("Be brief.".to_owned()), history: history(name, model), ..ask() },
        ),
        ("files", ChatRequest { history: files(name, model), ..ask() }),
    ]
}

/// Everything asked at once of models that differ from their vendor's other ones.
const OTHERS: [(&str, &str); 12] = [
    ("openai", "gpt-4.1"),
    ("openai", "gpt-4"),
    ("gemini", "gemini-2.5-pro"),
    ("gemini", "gemini-2.0-flash"),
    ("gemini", "gemini-3.1-pro-preview"),
    ("grok", "grok-4-0709"),
    ("grok", "grok-3"),
    ("anthropic", "claude-3-5-haiku-20241022"),
    ("anthropic", "claude-3-haiku-20240307"),
    ("anthropic", "claude-sonnet-5-5"),
    ("anthropic", "claude-opus-4-5-20251101"),
    ("meta", "Llama-4-Scout-17B-16E-Instruct-FP8"),
];

fn params(max_tokens: u64) -> Params {
    Params {
        temperature: Some(Temperature::parse(1.5).unwrap()),
        top_p: Some(TopP::parse(0.9).unwrap()),
        max_tokens: Some(MaxTokens::parse(max_tokens).unwrap()),
        ..Params::default()
    }
}

/// Several models, a failed answer, messages in a row, and the model's own thinking with its proof.
fn history(vendor: &str, model: &str) -> Vec<Turn> {
    let signed =
        |text: &str, signature: &str| SignedThinking { text: text.into(), signature: signature.into() };
    let own = Turn::Assistant {
        provider: provider(vendor),
        model: slipstream_domain::ModelId::parse(model).unwrap(),
        text: "mine".to_owned(),
        thinking: vec![signed("I thought.", "c2lnbmF0dXJl"), signed("", "redacted:RGF0YQ==")],
    };
    vec![
        user("one"),
        own,
        user("two"),
        assistant(vendor, model, ""),
        user("three"),
        assistant("openai", "gpt-4.1-mini", "theirs"),
        user("four"),
    ]
}

/// Files in every form that the vendor of the last message takes, and one of before that no model reads.
fn files(vendor: &str, model: &str) -> Vec<Turn> {
    let file = |name: &str, mime: &str, source| Attachment {
        mime: mime.to_owned(),
        filename: Some(name.to_owned()),
        size: 4,
        source,
    };
    let with = |text: &str, attachments| Turn::User { text: text.to_owned(), attachments };
    let inline = |bytes: &'static [u8]| Source::Inline(bytes.into());
    let video = file("film.mp4", "video/mp4", Source::Url("https://files.example/film.mp4".into()));
    let mut last = vec![file("notes.md", "text/markdown", inline(b"# Notes"))];
    let reads = |mime| providers_intake(vendor, model, mime);
    for (name, mime) in [("photo.png", "image/png"), ("paper.pdf", "application/pdf")] {
        let Some(intake) = reads(mime) else { continue };
        last.push(file(name, mime, inline(b"file")));
        if intake.url {
            last.push(file(name, mime, Source::Url(format!("https://files.example/{name}"))));
        }
        if intake.upload {
            last.push(file(name, mime, Source::Uploaded(format!("https://vendor.example/files/{name}"))));
        }
    }
    vec![with("look", vec![video]), assistant(vendor, model, "at what?"), with("these", last)]
}

fn providers_intake(vendor: &str, model: &str, mime: &str) -> Option<slipstream_providers::Intake> {
    let asked = request(vendor, model, Vec::new());
    crate::assembled::offline().intake(&asked.model, mime).ok()
}

fn golden(vendor: &str, case: &str) -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    folder.join(vendor).join("requests").join(format!("{case}.json"))
}

/// Compares, and on a difference says what was sent.
fn check(vendor: &str, case: &str, sent: &Value) {
    let path = golden(vendor, case);
    let golden: Value =
        std::fs::read(&path).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    let shown = serde_json::to_string_pretty(sent).unwrap();
    assert_eq!(sent, &golden, "if this is right, put it into {}:\n{shown}\n", path.display());
}

#[tokio::test]
async fn every_vendor_is_sent_what_its_model_supports_and_nothing_else() {
    for vendor in vendors() {
        for (case, asked) in cases(&vendor) {
            let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
            let call = providers(&server, 0).call(&provider(vendor.name), asked, CancellationToken::new());
            let got = Assembled::of(call.deltas).await;
            assert_eq!(got.error, None, "{}/{case}: {:#}", vendor.name, server.requests()[0].json());
            check(vendor.name, case, &server.requests()[0].json());
        }
    }
}

#[tokio::test]
async fn models_of_one_vendor_differ_in_what_they_are_sent() {
    for (vendor, model) in OTHERS {
        for (thinking, case) in [(true, model.to_owned()), (false, format!("{model}_quiet"))] {
            let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
            let asked = request(vendor, model, vec![user("hello")]);
            let asked = ChatRequest { params: params(9_999_999), web_search: true, thinking, ..asked };
            let call = providers(&server, 0).call(&provider(vendor), asked, CancellationToken::new());
            let got = Assembled::of(call.deltas).await;
            assert_eq!(got.error, None, "{vendor}/{case}: {:#}", server.requests()[0].json());
            check(vendor, &case, &server.requests()[0].json());
        }
    }
}

#[tokio::test]
async fn a_picture_is_asked_for_in_the_shape_that_is_nearest() {
    for vendor in vendors() {
        for picture in vendor.pictures() {
            let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
            let mut asked = request(vendor.name, picture.model, vec![user("a red square")]);
            asked.params.picture_size = PictureSize::parse(1920, 1080).ok();
            let call = providers(&server, 0).call(&provider(vendor.name), asked, CancellationToken::new());
            Assembled::of(call.deltas).await;
            check(vendor.name, picture.model, &server.requests()[0].json());
        }
    }
}
