//! The frames of one side, taken apart: one schema a frame, with no more definitions than it needs.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::{Map, Value, json};

/// What one side of a WebSocket sends.
pub(super) struct Side {
    /// `client` or `server`.
    pub(super) name: &'static str,
    /// What any of its frames is called.
    pub(super) title: &'static str,
    /// The frames by their types, in the order of the enum.
    frames: Vec<(String, Map<String, Value>)>,
    /// What they refer to.
    pub(super) definitions: Map<String, Value>,
}

impl Side {
    /// # Errors
    /// The schema is not that of an enum whose variants have a type.
    pub(super) fn of(name: &'static str, title: &'static str, schema: Value) -> anyhow::Result<Self> {
        let Value::Object(mut schema) = schema else { anyhow::bail!("{title} has no schema") };
        let definitions = match schema.remove("$defs") {
            Some(Value::Object(definitions)) => definitions,
            _ => Map::new(),
        };
        let Some(Value::Array(variants)) = schema.remove("oneOf") else {
            anyhow::bail!("{title} is no enum")
        };
        let frame = |variant: Value| {
            let Value::Object(variant) = variant else {
                anyhow::bail!("{title} has a frame that is no object")
            };
            let frame = variant["properties"]["type"]["const"].as_str().context("a frame without a type")?;
            Ok((frame.to_owned(), whole(variant.clone(), &definitions)))
        };
        let frames = variants.into_iter().map(frame).collect::<anyhow::Result<_>>()?;
        Ok(Self { name, title, frames, definitions })
    }

    /// Each frame's type with its own fields, references not followed.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.frames.iter().map(|(frame, schema)| (frame.as_str(), schema))
    }

    /// Each frame's type with its whole schema.
    pub(super) fn frames(&self) -> impl Iterator<Item = (&str, Value)> {
        self.fields().map(|(frame, schema)| {
            let mut needed = BTreeSet::new();
            schema.values().for_each(|value| self.collect(value, &mut needed));
            let needed =
                needed.into_iter().filter_map(|name| Some((name, self.definitions.get(name)?.clone())));
            let definitions: Map<_, _> = needed.map(|(name, schema)| (name.to_owned(), schema)).collect();
            let mut schema = schema.clone();
            schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
            schema.insert("title".to_owned(), frame.into());
            if !definitions.is_empty() {
                schema.insert("$defs".to_owned(), definitions.into());
            }
            (frame, schema.into())
        })
    }

    fn collect<'a>(&'a self, schema: &'a Value, needed: &mut BTreeSet<&'a str>) {
        if let Some((name, definition)) =
            reference(schema).and_then(|name| self.definitions.get_key_value(name))
            && needed.insert(name)
        {
            self.collect(definition, needed);
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(|value| self.collect(value, needed)),
            Value::Array(items) => items.iter().for_each(|value| self.collect(value, needed)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The definition that a schema refers to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// A variant with the fields of the struct it holds.
fn whole(mut variant: Map<String, Value>, definitions: &Map<String, Value>) -> Map<String, Value> {
    let held = reference(&Value::Object(variant.clone())).and_then(|name| definitions.get(name)).cloned();
    let Some(Value::Object(held)) = held else { return variant };
    variant.remove("$ref");
    for (key, value) in held {
        match (variant.get_mut(&key), value) {
            (Some(Value::Object(fields)), Value::Object(more)) => fields.extend(more),
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (Some(_), _) => {}
            (None, value) => {
                variant.insert(key, value);
            }
        }
    }
    variant
}
