//! The stored format is append-only: every version of every event ever written can still be read.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;

use serde_json::Value;
use slipstream_domain::event::GenerationEvent;
use slipstream_domain::{Event, Sealed};

struct Golden {
    event_type: String,
    data: Value,
    sealed: Option<Value>,
}

fn golden(event_type: &str, version: u16) -> Golden {
    let name = format!("{event_type}.v{version}.json");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/events").join(&name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{name} is missing: add a sample of this version"));
    let mut sample: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&sample["type"], &sample["schemaVersion"]), (&event_type.into(), &version.into()), "{name}");
    Golden {
        event_type: event_type.into(),
        data: sample["data"].take(),
        sealed: sample.get("sealed").cloned(),
    }
}

fn decode(golden: &Golden, erased: bool) -> Event {
    let sealed = golden.sealed.as_ref().map(|half| half.to_string().into_bytes());
    let half = sealed.as_deref().map(|bytes| if erased { Sealed::Erased } else { Sealed::Open(bytes) });
    Event::decode(&golden.event_type, &golden.data.to_string(), half).unwrap()
}

fn current() -> impl Iterator<Item = Golden> {
    Event::SCHEMAS.iter().flat_map(|types| types.iter()).map(|(name, version)| golden(name, *version))
}

#[test]
fn the_current_version_of_every_event_reads_and_writes_as_its_sample() {
    for golden in current() {
        let written = decode(&golden, false).encode().unwrap();
        let sealed: Option<Value> = written.sealed.map(|half| serde_json::from_slice(&half).unwrap());
        assert_eq!(written.event_type, golden.event_type);
        assert_eq!(
            serde_json::from_str::<Value>(&written.data).unwrap(),
            golden.data,
            "{}",
            golden.event_type
        );
        assert_eq!(sealed, golden.sealed, "{}", golden.event_type);
    }
}

#[test]
fn an_erased_half_reads_as_erased_and_is_never_written_again() {
    for golden in current().filter(|golden| golden.sealed.is_some()) {
        assert!(
            decode(&golden, true).encode().is_err(),
            "{} was written without its half",
            golden.event_type
        );
    }
}

#[test]
fn no_personal_text_stands_in_the_clear_half() {
    for golden in current() {
        let Some(Value::Object(half)) = &golden.sealed else { continue };
        let clear = golden.data.to_string();
        for text in half.values().filter_map(Value::as_str).filter(|text| !text.is_empty()) {
            assert!(!clear.contains(text), "{}: {text:?} stands in data", golden.event_type);
        }
    }
}

#[test]
fn recorded_chunks_give_their_runs_back() {
    let Event::Generation(GenerationEvent::ChunksRecorded(chunks)) =
        decode(&golden("ChunksRecorded", 1), false)
    else {
        panic!("not chunks")
    };
    let runs = chunks.runs().unwrap().into_open().unwrap();
    let texts: Vec<_> = runs.iter().map(|run| (run.from.0, run.to().0, run.text.as_str())).collect();
    assert_eq!(texts, [(18, 19, "so, well."), (20, 21, "Grüße"), (22, 22, "")]);
}

#[test]
fn an_unknown_type_or_a_wrong_shape_is_an_error_that_names_it() {
    let unknown = Event::decode("Nonsense", "{}", None).unwrap_err();
    assert_eq!(unknown.to_string(), "unknown event type Nonsense");
    let wrong = Event::decode("GenerationStarted", r#"{"epoch":"one"}"#, None).unwrap_err();
    assert!(wrong.to_string().starts_with("the data of GenerationStarted is not of its shape"), "{wrong}");
    let no_half = Event::decode("TitleSet", r#"{"source":"user"}"#, None).unwrap_err();
    assert_eq!(no_half.to_string(), "the sealed half of TitleSet is not of its shape");
}
