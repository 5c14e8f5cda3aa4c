//! Comma-separated values (RFC 4180), with a head line. Null is an empty field, which a text of ours never is: it is quoted.

use std::io::{self, Write};

use slipstream_eventlog::Position;
use slipstream_projections::analytics::{Value, View};
use time::format_description::well_known::Rfc3339;

use super::file::{Rows, Sink};

/// A file of comma-separated values.
pub(super) struct Csv(Sink);

impl Csv {
    /// # Errors
    /// See [`Rows::write`].
    pub(super) fn begin(mut sink: Sink, view: &View) -> io::Result<Self> {
        let names: Vec<_> = view.columns.iter().map(|column| column.name.as_str()).collect();
        write!(sink, "{}\r\n", names.join(","))?;
        Ok(Self(sink))
    }
}

impl Rows for Csv {
    fn write(&mut self, row: &[Value]) -> anyhow::Result<()> {
        for (at, value) in row.iter().enumerate() {
            if at > 0 {
                self.0.write_all(b",")?;
            }
            field(&mut self.0, value)?;
        }
        Ok(self.0.write_all(b"\r\n")?)
    }

    fn finish(self: Box<Self>, _: Position) -> anyhow::Result<Sink> {
        Ok(self.0)
    }
}

fn field(sink: &mut impl Write, value: &Value) -> anyhow::Result<()> {
    match value {
        Value::Null => {}
        Value::Boolean(value) => write!(sink, "{value}")?,
        Value::Integer(value) => write!(sink, "{value}")?,
        Value::BigInteger(value) => write!(sink, "{value}")?,
        Value::Double(value) => write!(sink, "{value}")?,
        Value::Text(text) if text.is_empty() || text.contains([',', '"', '\r', '\n']) => {
            write!(sink, "\"{}\"", text.replace('"', "\"\""))?;
        }
        Value::Text(text) => write!(sink, "{text}")?,
        Value::Uuid(value) => write!(sink, "{value}")?,
        Value::Date(value) => write!(sink, "{value}")?,
        Value::Timestamp(value) => write!(sink, "{}", value.format(&Rfc3339)?)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_field_is_quoted_and_null_is_not_an_empty_text() {
        let written = |value: Value| {
            let mut bytes = Vec::new();
            field(&mut bytes, &value).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(written(Value::Text("a \"b\", c".into())), "\"a \"\"b\"\", c\"");
        assert_eq!(written(Value::Text("two\nlines".into())), "\"two\nlines\"");
        assert_eq!(written(Value::Text(String::new())), "\"\"");
        assert_eq!(written(Value::Null), "");
        assert_eq!(written(Value::Double(0.1)), "0.1");
    }
}
