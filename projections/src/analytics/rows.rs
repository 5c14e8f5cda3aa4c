//! Rows of a view as they come from the database, never gathered.

use futures::TryStreamExt;
use slipstream_eventlog::Position;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Column, ColumnKind, Order, Snapshot, View};
use crate::error::QueryError;

/// What stands in a row and a column.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are those of the types of columns")]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i32),
    BigInteger(i64),
    Double(f64),
    Text(String),
    Uuid(Uuid),
    Date(Date),
    Timestamp(OffsetDateTime),
}

impl Snapshot {
    /// Hands over the rows that show something newer than `since`, or may do so, one after the other. Those of a view that
    /// has positions come by position, each with the position whose rows are all handed over once this one is, if it is the
    /// last; a view of periods has no such place. Holds one row at a time. Cancel-safe: what was handed over was.
    ///
    /// # Errors
    /// The database, or what `take` fails with.
    pub async fn rows<E: From<QueryError>>(
        &mut self,
        view: &View,
        since: Position,
        mut take: impl FnMut(&[Value], Position) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns: Vec<_> = view.columns.iter().map(|column| column.name.as_str()).collect();
        let (columns, name, newer) = (columns.join(", "), &view.name, view.newer());
        let order = match view.order {
            Order::Position => "position",
            Order::Day => "day",
        };
        let sql = format!("SELECT {columns} FROM analytics.{name} WHERE {newer} ORDER BY {order}");
        let place = view.columns.iter().position(|column| column.name == "position");
        let (mut whole, mut at) = (since, since);
        let mut rows = sqlx::query(AssertSqlSafe(sql)).bind(since.get()).fetch(&mut *self.tx);
        while let Some(row) = rows.try_next().await.map_err(QueryError::from)? {
            let row = values(&row, &view.columns).map_err(QueryError::from)?;
            if let Some(Value::BigInteger(position)) = place.and_then(|place| row.get(place)) {
                let position = Position::new(*position);
                if position > at {
                    (whole, at) = (at, position);
                }
            }
            take(&row, whole)?;
        }
        Ok(())
    }
}

fn values(row: &PgRow, columns: &[Column]) -> Result<Vec<Value>, sqlx::Error> {
    let value = |(at, column): (usize, &Column)| {
        Ok(match column.kind {
            ColumnKind::Boolean => row.try_get::<Option<_>, _>(at)?.map(Value::Boolean),
            ColumnKind::Integer => row.try_get::<Option<_>, _>(at)?.map(Value::Integer),
            ColumnKind::BigInteger => row.try_get::<Option<_>, _>(at)?.map(Value::BigInteger),
            ColumnKind::Double => row.try_get::<Option<_>, _>(at)?.map(Value::Double),
            ColumnKind::Text => row.try_get::<Option<_>, _>(at)?.map(Value::Text),
            ColumnKind::Uuid => row.try_get::<Option<_>, _>(at)?.map(Value::Uuid),
            ColumnKind::Date => row.try_get::<Option<_>, _>(at)?.map(Value::Date),
            ColumnKind::Timestamp => row.try_get::<Option<_>, _>(at)?.map(Value::Timestamp),
        }
        .unwrap_or(Value::Null))
    };
    columns.iter().enumerate().map(value).collect()
}
