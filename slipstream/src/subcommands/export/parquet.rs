//! Parquet by its column writers alone: a view has no nesting, so a column is its values and where they are missing. Dates,
//! times and ids have their types of Parquet's. The position is in the file's own key-value metadata.

use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    Int32Type, Int64Type,
};
use ::parquet::errors::Result as ParquetResult;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;
use slipstream_eventlog::Position;
use slipstream_projections::analytics::{Column, ColumnKind, Value, View};
use time::{Date, OffsetDateTime};

use super::file::{Rows, Sink};

/// Rows of a group: what is held in memory, some megabytes.
const GROUP: usize = 20_000;

/// A Parquet file.
pub(super) struct Parquet {
    file: SerializedFileWriter<Sink>,
    columns: Vec<Held>,
    rows: usize,
}

impl Parquet {
    /// # Errors
    /// The disk is full.
    pub(super) fn begin(sink: Sink, view: &View) -> ParquetResult<Self> {
        let fields: ParquetResult<Vec<_>> =
            view.columns.iter().map(|column| Ok(Arc::new(field(column)?))).collect();
        let schema = Arc::new(Type::group_type_builder(&view.name).with_fields(fields?).build()?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("slipstream ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(sink, schema, Arc::new(properties))?;
        Ok(Self { file, columns: view.columns.iter().map(|column| Held::of(column.kind)).collect(), rows: 0 })
    }

    fn write_group(&mut self) -> ParquetResult<()> {
        let mut group = self.file.next_row_group()?;
        for held in &mut self.columns {
            if let Some(mut column) = group.next_column()? {
                held.write(&mut column)?;
                column.close()?;
            }
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Rows for Parquet {
    fn write(&mut self, row: &[Value]) -> anyhow::Result<()> {
        for (held, value) in self.columns.iter_mut().zip(row) {
            held.push(value);
        }
        self.rows += 1;
        if self.rows == GROUP {
            self.write_group()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, position: Position) -> anyhow::Result<Sink> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.file
            .append_key_value_metadata(KeyValue::new("slipstream.position".to_owned(), position.to_string()));
        Ok(self.file.into_inner()?)
    }
}

fn field(column: &Column) -> ParquetResult<Type> {
    let (physical, logical, length) = match column.kind {
        ColumnKind::Boolean => (Physical::BOOLEAN, None, 0),
        ColumnKind::Integer => (Physical::INT32, None, 0),
        ColumnKind::BigInteger => (Physical::INT64, None, 0),
        ColumnKind::Double => (Physical::DOUBLE, None, 0),
        ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String), 0),
        ColumnKind::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid), 16),
        ColumnKind::Date => (Physical::INT32, Some(LogicalType::Date), 0),
        ColumnKind::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)), 0),
    };
    Type::primitive_type_builder(&column.name, physical)
        .with_logical_type(logical)
        .with_length(length)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

/// The values of a column that are not yet written. One level a row: 1 where there is a value, 0 where it is missing.
struct Held {
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
    Uuid(Vec<FixedLenByteArray>),
}

impl Held {
    fn of(kind: ColumnKind) -> Self {
        let values = match kind {
            ColumnKind::Boolean => Values::Boolean(Vec::new()),
            ColumnKind::Integer | ColumnKind::Date => Values::Int32(Vec::new()),
            ColumnKind::BigInteger | ColumnKind::Timestamp => Values::Int64(Vec::new()),
            ColumnKind::Double => Values::Double(Vec::new()),
            ColumnKind::Text => Values::Text(Vec::new()),
            ColumnKind::Uuid => Values::Uuid(Vec::new()),
        };
        Self { levels: Vec::new(), values }
    }

    fn push(&mut self, value: &Value) {
        match (&mut self.values, value) {
            (Values::Boolean(held), Value::Boolean(value)) => held.push(*value),
            (Values::Int32(held), Value::Integer(value)) => held.push(*value),
            (Values::Int32(held), Value::Date(value)) => held.push(days(*value)),
            (Values::Int64(held), Value::BigInteger(value)) => held.push(*value),
            (Values::Int64(held), Value::Timestamp(value)) => held.push(micros(*value)),
            (Values::Double(held), Value::Double(value)) => held.push(*value),
            (Values::Text(held), Value::Text(value)) => held.push(value.as_str().into()),
            (Values::Uuid(held), Value::Uuid(value)) => held.push(value.as_bytes().to_vec().into()),
            // Null; a column has values of its own type alone.
            (
                Values::Boolean(_)
                | Values::Int32(_)
                | Values::Int64(_)
                | Values::Double(_)
                | Values::Text(_)
                | Values::Uuid(_),
                _,
            ) => return self.levels.push(0),
        }
        self.levels.push(1);
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> ParquetResult<()> {
        let levels = &self.levels;
        match &mut self.values {
            Values::Boolean(held) => write::<BoolType>(column, held, levels)?,
            Values::Int32(held) => write::<Int32Type>(column, held, levels)?,
            Values::Int64(held) => write::<Int64Type>(column, held, levels)?,
            Values::Double(held) => write::<DoubleType>(column, held, levels)?,
            Values::Text(held) => write::<ByteArrayType>(column, held, levels)?,
            Values::Uuid(held) => write::<FixedLenByteArrayType>(column, held, levels)?,
        }
        self.levels.clear();
        Ok(())
    }
}

fn write<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    held: &mut Vec<T::T>,
    levels: &[i16],
) -> ParquetResult<()> {
    column.typed::<T>().write_batch(held, Some(levels), None)?;
    held.clear();
    Ok(())
}

/// Days since 1970-01-01.
fn days(date: Date) -> i32 {
    date.to_julian_day() - OffsetDateTime::UNIX_EPOCH.to_julian_day()
}

/// Microseconds since 1970-01-01, in UTC; the database's own precision.
fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}
