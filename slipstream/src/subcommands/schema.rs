//! `slipstream schema`: what the program speaks and stores, as files that other programs read. Made of the types themselves;
//! `ops/schema` puts the files where they are committed, and says when they differ.

mod asyncapi;
mod frames;
mod typescript;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::Value;
use slipstream_domain::Event;
use slipstream_gateway::protocol::frame_schemas;

use self::frames::Side;

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct SchemaOptions {
    /// The folder to write into; it is made if it is not there.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) const ABOUT: &str = "\
Write the schemas of everything this program speaks and stores.

  events/TYPE.vN.schema.json   JSON Schema of each event of the log, at its current version
  frames/SIDE.TYPE.json        JSON Schema of each frame of the WebSocket, SIDE being client or server
  asyncapi.json                the WebSocket as AsyncAPI 3
  openapi.json                 the HTTP API as OpenAPI 3.1
  slipstream.d.ts              the frames as TypeScript types";

/// # Errors
/// The folder cannot be written.
pub(crate) fn run(options: &SchemaOptions) -> anyhow::Result<ExitCode> {
    let write = |name: String, text: String| write(&options.folder.join(name), text);
    for event in Event::schemas() {
        let name = format!("events/{}.v{}.schema.json", event.event_type, event.schema_version);
        write(name, pretty(&without_null(event.schema.to_value())))?;
    }
    let sides = sides()?;
    for side in &sides {
        for (frame, schema) in side.frames() {
            let name = format!("frames/{}.{}.json", side.name, frame.replace(':', "."));
            write(name, pretty(&schema))?;
        }
    }
    write("asyncapi.json".to_owned(), pretty(&asyncapi::document(&sides)))?;
    write("openapi.json".to_owned(), slipstream_gateway::openapi())?;
    write("slipstream.d.ts".to_owned(), typescript::declarations(&sides)?)?;
    Ok(ExitCode::SUCCESS)
}

fn sides() -> anyhow::Result<[Side; 2]> {
    let mut schemas = frame_schemas();
    let mut side = |name, title| {
        let schema = schemas.remove(title).map(|schema| without_null(schema.to_value()));
        Side::of(name, title, schema.unwrap_or_default())
    };
    Ok([side("client", "ClientFrame")?, side("server", "ServerFrame")?])
}

/// A missing value is an absent field here, never null: what Rust calls optional is just not required.
fn without_null(schema: Value) -> Value {
    let is_null = |schema: &Value| schema["type"] == "null" || schema.is_null();
    match schema {
        Value::Object(mut fields) => {
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            for key in ["enum", "anyOf"] {
                if let Some(Value::Array(choices)) = fields.get_mut(key) {
                    choices.retain(|choice| !is_null(choice));
                }
            }
            if let Some([only]) = fields.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
                let only = only.clone();
                fields.remove("anyOf");
                if let Value::Object(only) = only {
                    fields.extend(only);
                }
            }
            fields.into_iter().map(|(key, value)| (key, without_null(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema,
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn write(path: &Path, text: String) -> anyhow::Result<()> {
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_optional_is_absent_and_not_null() {
        let schema = json!({"properties": {
            "a": {"type": ["string", "null"]},
            "b": {"anyOf": [{"$ref": "#/$defs/B"}, {"type": "null"}], "description": "d"},
        }});
        let expected =
            json!({"properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/B", "description": "d"}}});
        assert_eq!(without_null(schema), expected);
    }
}
