//! The frames of the protocol as they stand in `schemas/frames`: what is there is read, whatever becomes of the code.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use slipstream_gateway::protocol::{ClientFrame, ServerFrame, frame_schemas};

fn golden(side: &str) -> Vec<Value> {
    let file = format!("../schemas/frames/golden.{side}.ndjson");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The types that the schema of a side has, and those that its golden frames have.
fn types(side: &str, title: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let schema = frame_schemas().remove(title).unwrap().to_value();
    let variants = schema["oneOf"].as_array().unwrap().clone();
    let known = variants.iter().map(|variant| variant["properties"]["type"]["const"].clone());
    let shown = golden(side).into_iter().map(|frame| frame["type"].clone());
    let text = |kind: Value| kind.as_str().unwrap().to_owned();
    (known.map(text).collect(), shown.map(text).collect())
}

#[test]
fn every_frame_of_a_client_is_understood() {
    for frame in golden("client") {
        let parsed =
            ClientFrame::parse(&frame.to_string()).unwrap_or_else(|error| panic!("{frame}: {error}"));
        let understood = match &parsed {
            ClientFrame::Chat(chat) => chat.request.is_ok() && chat.extras.is_ok(),
            ClientFrame::Picture(picture) => picture.request.is_ok(),
            ClientFrame::Asset(asset) => asset.wish.is_ok(),
            ClientFrame::Fetch(fetch) => fetch.source.is_ok(),
            ClientFrame::Cancel(_)
            | ClientFrame::Edit(_)
            | ClientFrame::Regenerate(_)
            | ClientFrame::ChooseLeaf(_)
            | ClientFrame::Rate(_)
            | ClientFrame::Typing(_)
            | ClientFrame::Ping
            | ClientFrame::Subscribe(_)
            | ClientFrame::Unsubscribe(_) => true,
        };
        assert!(understood, "{frame}: {parsed:?}");
    }
}

#[test]
fn every_frame_of_the_server_is_read_and_written_as_it_stands() {
    for frame in golden("server") {
        let read: ServerFrame =
            serde_json::from_value(frame.clone()).unwrap_or_else(|error| panic!("{frame}: {error}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), frame);
        assert_eq!(frame["type"], read.name());
    }
}

#[test]
fn there_is_a_golden_frame_of_every_type_and_a_schema_of_every_golden_frame() {
    for (side, title) in [("client", "ClientFrame"), ("server", "ServerFrame")] {
        let (known, shown) = types(side, title);
        assert_eq!(known, shown, "{side}");
    }
    // What an unknown type is answered with names those that are known.
    let error = ClientFrame::parse(r#"{"type":"make_coffee"}"#).unwrap_err().to_string();
    for kind in types("client", "ClientFrame").0 {
        assert!(error.contains(&kind), "{kind}: {error}");
    }
}
