//! The JSON Schema of stored events, made of the types that read and write them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::sealed::Sealed;

/// The schema of one event type at its current version.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSchema {
    /// The type's name.
    pub event_type: &'static str,
    /// Its version.
    pub schema_version: u16,
    /// JSON Schema (draft 2020-12) of an object with `type`, `schemaVersion`, `data` and, where the type has a personal half,
    /// `sealed`: the form of the golden samples.
    pub schema: Schema,
}

/// Makes the schema of a personal half.
pub(super) type SealedHalf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of the field that is the personal half of `E`.
pub(super) fn sealed_half<E, T: JsonSchema>(
    generator: &mut SchemaGenerator,
    _field: fn(&E) -> &Sealed<T>,
) -> Schema {
    generator.subschema_for::<T>()
}

impl EventSchema {
    pub(super) fn of<E: JsonSchema>(
        event_type: &'static str,
        schema_version: u16,
        sealed: Option<SealedHalf>,
    ) -> Self {
        let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let data = generator.subschema_for::<E>();
        let mut schema = json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": event_type,
            "type": "object",
            "properties": {
                "type": { "const": event_type },
                "schemaVersion": { "const": schema_version },
                "data": data,
            },
            "required": ["type", "schemaVersion", "data"],
        });
        if let Some(sealed) = sealed {
            let sealed = sealed(&mut generator).to_value();
            if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut)
            {
                properties.insert("sealed".to_owned(), sealed);
            }
            schema.insert(
                "required".to_owned(),
                serde_json::json!(["type", "schemaVersion", "data", "sealed"]),
            );
        }
        schema.insert("$defs".to_owned(), generator.take_definitions(true).into());
        Self { event_type, schema_version, schema }
    }
}
