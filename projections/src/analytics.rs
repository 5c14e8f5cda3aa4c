//! What analysts read: the views of schema `analytics` as the database describes them, and their rows as one moment shows
//! them, in the order in which they came to be what they are. Owns no table: the views stand on the other read models, and
//! `migrations/0017_analytics.sql` defines them. Gives out nothing that people or models said.

mod rows;

use slipstream_eventlog::{Position, ProjectorState};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use crate::error::QueryError;
use crate::sql::count;

pub use self::rows::Value;

/// A view, as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name within the schema.
    pub name: String,
    /// What a row of it is.
    pub about: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    order: Order,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds, where the name does not say it.
    pub about: Option<String>,
    /// Of which type it is. Any may be null.
    pub kind: ColumnKind,
}

/// The types there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ColumnKind {
    Boolean,
    Integer,
    BigInteger,
    Double,
    Text,
    Uuid,
    Date,
    /// With microseconds, in UTC.
    Timestamp,
}

impl ColumnKind {
    const ALL: [Self; 8] = [
        Self::Boolean,
        Self::Integer,
        Self::BigInteger,
        Self::Double,
        Self::Text,
        Self::Uuid,
        Self::Date,
        Self::Timestamp,
    ];

    /// `PostgreSQL`'s name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::BigInteger => "bigint",
            Self::Double => "double precision",
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Timestamp => "timestamp with time zone",
        }
    }
}

/// By what a view's rows are told to be newer than a position, and in which order they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Each row has the position of the last event that it shows.
    Position,
    /// Rows are sums over a period; one changes as long as its last day does.
    Day,
}

/// All views, by name; none before the schema has been migrated.
///
/// # Errors
/// See [`QueryError`].
pub async fn views(pool: &PgPool) -> Result<Vec<View>, QueryError> {
    let rows = sqlx::query!(
        r#"SELECT c.relname AS "view!", obj_description(c.oid, 'pg_class') AS about, a.attname AS "column!",
                  col_description(c.oid, a.attnum) AS column_about, format_type(a.atttypid, NULL) AS "kind!"
           FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           WHERE c.relnamespace = to_regnamespace('analytics') AND c.relkind = 'v' ORDER BY c.relname, a.attnum"#
    );
    let mut views: Vec<View> = Vec::new();
    for row in rows.fetch_all(pool).await? {
        if views.last().is_none_or(|view| view.name != row.view) {
            let about = row.about.unwrap_or_default();
            views.push(View { name: row.view, about, columns: Vec::new(), order: Order::Day });
        }
        let Some(view) = views.last_mut() else { continue };
        let kind = ColumnKind::ALL.into_iter().find(|kind| kind.as_str() == row.kind);
        let unknown = || QueryError::Unreadable(format!("{} is a {}", row.column, row.kind));
        if row.column == "position" {
            view.order = Order::Position;
        }
        let (name, about) = (row.column.clone(), row.column_about);
        view.columns.push(Column { name, about, kind: kind.ok_or_else(unknown)? });
    }
    Ok(views)
}

/// The views as one moment shows them. Keeps them from being laid on another version of a read model until it is dropped.
pub struct Snapshot {
    tx: Transaction<'static, Postgres>,
}

impl Snapshot {
    /// # Errors
    /// See [`QueryError`].
    pub async fn take(pool: &PgPool) -> Result<Self, QueryError> {
        Ok(Self { tx: pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await? })
    }

    /// How far the read model under a view has come: whatever is recorded later is not in its rows, and everything before
    /// is.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn position(&mut self, view: &View) -> Result<Position, QueryError> {
        let position = sqlx::query_scalar!(
            r#"SELECT max(position) AS "position: Position" FROM es.projector WHERE name = $1 AND state = $2"#,
            view.read_model(),
            ProjectorState::Active as i16
        );
        Ok(position.fetch_one(&mut *self.tx).await?.unwrap_or(Position::new(0)))
    }

    /// How many rows [`Snapshot::rows`] gives.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn count(&mut self, view: &View, since: Position) -> Result<u64, QueryError> {
        let sql = format!("SELECT count(*) FROM analytics.{} WHERE {}", view.name, view.newer());
        let rows: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(since.get()).fetch_one(&mut *self.tx).await?;
        Ok(count(rows))
    }
}

impl View {
    /// The read model it stands on.
    fn read_model(&self) -> &str {
        match self.name.as_str() {
            "messages" => "transcript",
            "provider_errors" | "active_users" => "generations",
            name => name,
        }
    }

    /// Whether a row is newer than the position `$1`, or may be.
    fn newer(&self) -> &'static str {
        match self.order {
            Order::Position => "position > $1",
            Order::Day if self.columns.iter().any(|column| column.name == "period") => {
                "day + ('1 ' || period)::interval > coalesce((SELECT (recorded_at AT TIME ZONE 'UTC')::date
                     FROM es.event WHERE position = $1), '-infinity'::date)"
            }
            Order::Day => {
                "day >= coalesce((SELECT (recorded_at AT TIME ZONE 'UTC')::date FROM es.event WHERE position = $1),
                     '-infinity'::date)"
            }
        }
    }
}
