//! One JSON object a line, its fields in the order of the columns. Null is written, so that every line has the same fields.

use std::io::Write;

use serde::ser::{Error, SerializeMap};
use serde::{Serialize, Serializer};
use slipstream_eventlog::Position;
use slipstream_projections::analytics::{Value, View};
use time::format_description::well_known::Rfc3339;

use super::file::{Rows, Sink};

/// A file of JSON lines.
pub(super) struct Ndjson {
    sink: Sink,
    columns: Vec<String>,
}

impl Ndjson {
    pub(super) fn begin(sink: Sink, view: &View) -> Self {
        Self { sink, columns: view.columns.iter().map(|column| column.name.clone()).collect() }
    }
}

impl Rows for Ndjson {
    fn write(&mut self, row: &[Value]) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.sink, &Line { columns: &self.columns, row })?;
        Ok(self.sink.write_all(b"\n")?)
    }

    fn finish(self: Box<Self>, _: Position) -> anyhow::Result<Sink> {
        Ok(self.sink)
    }
}

struct Line<'a> {
    columns: &'a [String],
    row: &'a [Value],
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.row.len()))?;
        for (column, value) in self.columns.iter().zip(self.row) {
            match value {
                Value::Null => map.serialize_entry(column, &())?,
                Value::Boolean(value) => map.serialize_entry(column, value)?,
                Value::Integer(value) => map.serialize_entry(column, value)?,
                Value::BigInteger(value) => map.serialize_entry(column, value)?,
                Value::Double(value) => map.serialize_entry(column, value)?,
                Value::Text(value) => map.serialize_entry(column, value)?,
                Value::Uuid(value) => map.serialize_entry(column, value)?,
                Value::Date(value) => map.serialize_entry(column, &value.to_string())?,
                Value::Timestamp(value) => {
                    map.serialize_entry(column, &value.format(&Rfc3339).map_err(S::Error::custom)?)?;
                }
            }
        }
        map.end()
    }
}
