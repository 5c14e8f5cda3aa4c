//! The decoders without a network: every golden of every vendor, cut at every byte.

use std::collections::VecDeque;
use std::path::PathBuf;

use proptest::prelude::*;
use slipstream_domain::{ErrorClass, FinishReason};

use super::{Decoder, Repeats};
use crate::Delta;
use crate::fuzz::{FORMATS, Items, decoded as bounded};
use crate::responses::ResponsesDecoder;

#[path = "../tests/it/expected.rs"]
#[allow(unreachable_pub, dead_code)]
mod expected;

const MAX: usize = 4 * 1024 * 1024;

/// What pieces of a body come to in the format of a vendor.
fn decoded<'a>(vendor: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Items {
    bounded(vendor, pieces, MAX)
}

fn golden(vendor: &str, name: &str) -> Vec<u8> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    std::fs::read(folder.join(vendor).join(format!("{name}.sse"))).unwrap()
}

/// Every golden stream: the vendor, its name and its body.
fn goldens() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let of = |vendor: expected::Vendor| {
        let name = vendor.name;
        vendor.streams.into_iter().map(move |golden_| (name, golden_.golden, golden(name, golden_.golden)))
    };
    expected::vendors().into_iter().flat_map(of).collect()
}

fn joined(items: &Items, pick: impl Fn(&Delta) -> Option<&str>) -> String {
    items.iter().flatten().filter_map(pick).collect()
}

fn text(items: &Items) -> String {
    joined(items, |delta| if let Delta::Text(text) = delta { Some(text) } else { None })
}

fn thinking(items: &Items) -> String {
    joined(items, |delta| if let Delta::Thinking(text) = delta { Some(text) } else { None })
}

fn end(items: &Items) -> Result<FinishReason, ErrorClass> {
    match items.last().unwrap() {
        Ok(Delta::Finish { reason }) => Ok(reason.clone()),
        Ok(other) => panic!("{other:?} is no end"),
        Err(error) => Err(error.class()),
    }
}

/// One event as OpenAI writes it.
fn event(json: &serde_json::Value) -> String {
    format!("event: {}\ndata: {json}\n\n", json["type"].as_str().unwrap())
}

fn text_event(delta: &str) -> String {
    event(
        &serde_json::json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": delta }),
    )
}

fn completed() -> String {
    event(&serde_json::json!({ "type": "response.completed", "response": { "usage": null } }))
}

#[test]
fn every_golden_comes_to_the_same_cut_at_every_byte() {
    for vendor in expected::vendors() {
        for expected in &vendor.streams {
            let name = format!("{}/{}", vendor.name, expected.golden);
            let body = golden(vendor.name, expected.golden);
            let whole = decoded(vendor.name, [&body[..]]);
            assert_eq!(text(&whole), expected.text, "{name}");
            assert_eq!(thinking(&whole), expected.thinking, "{name}");
            assert_eq!(end(&whole), expected.end, "{name}: {:?}", whole.last());
            assert_eq!(decoded(vendor.name, body.chunks(1)), whole, "{name} byte by byte");
            // Where a place between two bytes matters most; the property below goes through all goldens.
            let each = if ["utf8", "bom_crlf"].contains(&expected.golden) { 0..=body.len() } else { 0..=0 };
            for at in each {
                let (head, tail) = body.split_at(at);
                assert!(decoded(vendor.name, [head, tail]) == whole, "{name} cut at {at}");
            }
        }
    }
}

#[test]
fn a_stream_cut_short_anywhere_keeps_what_came_and_says_that_it_was_cut() {
    for vendor in expected::vendors() {
        let body = golden(vendor.name, "utf8");
        let whole = decoded(vendor.name, [&body[..]]);
        // The event that ends the answer: the last one, or (without a terminal event) the one with the finish reason.
        let is_whole = |length: &usize| end(&decoded(vendor.name, [&body[..*length]])).is_ok();
        let shortest = (0..=body.len()).rev().take_while(is_whole).last().unwrap();
        for length in 0..shortest {
            let mut part = decoded(vendor.name, [&body[..length]]);
            let error = part.pop().unwrap().unwrap_err();
            assert_eq!(error.class(), ErrorClass::Network, "{} cut at {length}", vendor.name);
            assert!(whole.starts_with(&part), "{} cut at {length}", vendor.name);
        }
    }
}

#[test]
fn a_late_repeat_of_all_reasoning_is_dropped_and_a_short_one_is_meant() {
    let mut repeats = Repeats::default();
    for piece in ["No, no, that is not what ", "was asked for."] {
        assert_eq!(repeats.without(piece.to_owned()).as_deref(), Some(piece));
    }
    assert_eq!(repeats.without("No, no, that is not what was asked for.".to_owned()), None);
    let mut repeats = Repeats::default();
    for piece in ["ha", "ha", "haha"] {
        assert_eq!(repeats.without(piece.to_owned()).as_deref(), Some(piece));
    }
}

#[test]
fn a_line_of_a_mebibyte_is_read() {
    let long = "x".repeat(1024 * 1024);
    let body = text_event(&long) + &completed();
    let items = decoded("openai", body.as_bytes().chunks(16 * 1024));
    assert_eq!((text(&items).len(), end(&items)), (long.len(), Ok(FinishReason::Stop)));
}

#[test]
fn an_endless_line_and_endless_comments_are_given_up() {
    for endless in ["data: x", ": y\n"] {
        let pieces =
            std::iter::once(endless.as_bytes()).chain(std::iter::repeat_n(endless.as_bytes(), 100_000));
        let items = bounded("openai", pieces, 64 * 1024);
        assert_eq!((items.len(), end(&items)), (1, Err(ErrorClass::Protocol)));
    }
}

#[test]
fn many_events_may_together_be_longer_than_the_bound() {
    let body = text_event("0123456789").repeat(1000) + &completed();
    let items = bounded("openai", body.as_bytes().chunks(500), 1000);
    assert_eq!((text(&items).len(), end(&items)), (10_000, Ok(FinishReason::Stop)));
}

#[test]
fn what_an_event_holds_never_shows_in_an_error() {
    let mut deltas = VecDeque::new();
    let error = ResponsesDecoder::default()
        .event(r#"{"type":"response.output_text.delta","delta":{"secret":1}}"#, &mut deltas);
    let message = error.unwrap_err().message().to_owned();
    assert!(!message.contains("secret") && message.contains("response.output_text.delta"), "{message}");
}

#[test]
fn the_finish_reason_is_the_vendors_even_when_it_is_a_new_word() {
    let incomplete = |details: serde_json::Value| {
        let body = event(
            &serde_json::json!({ "type": "response.incomplete", "response": { "incomplete_details": details } }),
        );
        end(&decoded("openai", [body.as_bytes()])).unwrap()
    };
    assert_eq!(incomplete(serde_json::json!({ "reason": "bored" })), FinishReason::Other("bored".to_owned()));
    assert_eq!(incomplete(serde_json::Value::Null), FinishReason::Other("incomplete".to_owned()));
}

/// Cuts `body` at the given places.
fn cut_at<'a>(body: &'a [u8], places: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(body.len() + 1)).collect();
    places.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for place in places {
        pieces.push(&body[from..place]);
        from = place;
    }
    pieces.push(&body[from..]);
    pieces
}

proptest! {
    #[test]
    fn any_text_arrives_whole_however_its_bytes_are_cut(
        parts in prop::collection::vec("\\PC{0,20}|[\\x00-\\x1f]{0,3}", 0..20),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        let body: String = parts.iter().map(|part| text_event(part)).collect::<String>() + &completed() + ": end\n\n";
        let body = body.replace('\n', line_end);
        let items = decoded("openai", cut_at(body.as_bytes(), &places));
        prop_assert_eq!(text(&items), parts.concat().replace('\0', "\u{FFFD}"));
        prop_assert_eq!(end(&items), Ok(FinishReason::Stop));
        prop_assert!(!items.contains(&Ok(Delta::Text(String::new()))));
    }

    #[test]
    fn a_golden_does_not_depend_on_how_it_was_cut(
        which in any::<prop::sample::Index>(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
    ) {
        let goldens = goldens();
        let (vendor, name, body) = which.get(&goldens);
        let cut = decoded(vendor, cut_at(body, &places));
        prop_assert_eq!(cut, decoded(vendor, [&body[..]]), "{}/{}", vendor, name);
    }

    #[test]
    fn no_bytes_whatever_bring_a_decoder_down(noise in prop::collection::vec(noise(), 0..30)) {
        for vendor in FORMATS {
            let items = bounded(vendor, noise.iter().map(Vec::as_slice), 200);
            let errors = items.iter().filter(|item| item.is_err()).count();
            prop_assert_eq!(errors, usize::from(end(&items).is_err()), "{}", vendor);
        }
    }

    #[test]
    fn a_golden_with_bytes_changed_has_one_end_and_does_not_depend_on_a_cut(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let goldens = goldens();
        let (vendor, _, body) = which.get(&goldens);
        let mut body = body.clone();
        for (place, byte) in changes {
            let at = place.index(body.len());
            body[at] = byte;
        }
        let format = FORMATS.iter().position(|format| format == vendor).unwrap();
        crate::fuzz::check(format, cut.index(body.len()), &body);
    }
}

/// Anything, and beginnings of what vendors send.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "data: {\"type\":\"",
        "response.completed\"}\n\n",
        "data: [DONE]\n\n",
        "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n",
        "data: {\"event\":{\"event_type\":\"complete\"}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
        "data: {\"choices\":[{\"delta\":{}}]}\n\n",
        "data: null\n\n",
        "data: []\n\n",
        "data: {\"error\":",
        "\u{feff}",
        "\r\n",
    ];
    prop_oneof![
        any::<Vec<u8>>(),
        prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec())
    ]
}
