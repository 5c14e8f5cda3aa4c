//! The decoder without a network: every golden cut at every byte.

use std::collections::VecDeque;
use std::path::PathBuf;

use bytes::Bytes;
use futures::executor::block_on;
use futures::{StreamExt, stream};
use proptest::prelude::*;
use slipstream_domain::{ErrorClass, FinishReason};

use super::events::ResponsesDecoder;
use crate::decode::{Decoder, deltas};
use crate::{Delta, ProviderError};

#[path = "../../tests/it/expected.rs"]
#[allow(unreachable_pub, dead_code)]
mod expected;

const MAX: usize = 4 * 1024 * 1024;

type Items = Vec<Result<Delta, ProviderError>>;

fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Items {
    bounded(pieces, MAX)
}

fn bounded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, max: usize) -> Items {
    let pieces: Vec<_> = pieces.into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    block_on(deltas(stream::iter(pieces), ResponsesDecoder::default(), max).collect())
}

fn golden(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/openai"));
    std::fs::read(folder.join(format!("{name}.sse"))).unwrap()
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

/// One event as the vendor writes it.
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
fn every_golden_comes_to_the_same_cut_in_two_at_every_byte() {
    for expected in &expected::STREAMS {
        let body = golden(expected.golden);
        let whole = decoded([&body[..]]);
        assert_eq!(text(&whole), expected.text, "{}", expected.golden);
        assert_eq!(thinking(&whole), expected.thinking, "{}", expected.golden);
        assert_eq!(end(&whole), expected.end, "{}", expected.golden);
        for at in 0..=body.len() {
            let (head, tail) = body.split_at(at);
            assert!(decoded([head, tail]) == whole, "{} cut at {at}", expected.golden);
        }
        assert_eq!(decoded(body.chunks(1)), whole, "{} byte by byte", expected.golden);
    }
}

#[test]
fn a_stream_cut_short_anywhere_keeps_what_came_and_says_that_it_was_cut() {
    for name in ["thinking", "utf8", "search"] {
        let body = golden(name);
        let whole = decoded([&body[..]]);
        // The last event is the terminal one; without its last byte it is not complete.
        for length in 0..body.len() - 1 {
            let mut part = decoded([&body[..length]]);
            let error = part.pop().unwrap().unwrap_err();
            assert_eq!(error.class(), ErrorClass::Network, "{name} cut at {length}");
            assert!(whole.starts_with(&part), "{name} cut at {length}");
        }
    }
}

#[test]
fn a_line_of_a_mebibyte_is_read() {
    let long = "x".repeat(1024 * 1024);
    let body = text_event(&long) + &completed();
    let items = decoded(body.as_bytes().chunks(16 * 1024));
    assert_eq!((text(&items).len(), end(&items)), (long.len(), Ok(FinishReason::Stop)));
}

#[test]
fn an_endless_line_and_endless_comments_are_given_up() {
    for endless in ["data: x", ": y\n"] {
        let pieces =
            std::iter::once(endless.as_bytes()).chain(std::iter::repeat_n(endless.as_bytes(), 100_000));
        let items = bounded(pieces, 64 * 1024);
        assert_eq!((items.len(), end(&items)), (1, Err(ErrorClass::Protocol)));
    }
}

#[test]
fn many_events_may_together_be_longer_than_the_bound() {
    let body = text_event("0123456789").repeat(1000) + &completed();
    let items = bounded(body.as_bytes().chunks(500), 1000);
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
        end(&decoded([body.as_bytes()])).unwrap()
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
        let items = decoded(cut_at(body.as_bytes(), &places));
        prop_assert_eq!(text(&items), parts.concat().replace('\0', "\u{FFFD}"));
        prop_assert_eq!(end(&items), Ok(FinishReason::Stop));
        prop_assert!(!items.contains(&Ok(Delta::Text(String::new()))));
    }

    #[test]
    fn a_golden_does_not_depend_on_how_it_was_cut(
        which in 0..expected::STREAMS.len(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
    ) {
        let body = golden(expected::STREAMS[which].golden);
        prop_assert_eq!(decoded(cut_at(&body, &places)), decoded([&body[..]]));
    }

    #[test]
    fn no_bytes_whatever_bring_it_down(
        noise in prop::collection::vec(prop_oneof![
            any::<Vec<u8>>(),
            Just(b"data: {\"type\":\"".to_vec()),
            Just(b"response.completed\"}\n\n".to_vec()),
            Just(b"\xef\xbb\xbf".to_vec()),
            Just(b"\r\n".to_vec()),
        ], 0..30),
    ) {
        let items = bounded(noise.iter().map(Vec::as_slice), 200);
        prop_assert_eq!(items.iter().filter(|item| item.is_err()).count(), usize::from(end(&items).is_err()));
    }
}
