//! Reading the log: streams, correlations, the feed, the head.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    Appended, Category, CommandId, CorrelationId, Envelope, EventLog, KeyRingUnavailable, OwnerId, Position,
    Recorded, StreamId, Version,
    codec::GENESIS,
    decode::{EventRow, select_events},
};

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// PostgreSQL.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// The key ring; no event of the read is handed out half open.
    #[error(transparent)]
    KeyRing(#[from] KeyRingUnavailable),
}

/// Why the feed stopped.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// An event is missing. Positions have no gaps, so something was lost or removed: go no further.
    #[error("the log has a gap: expected position {expected}, found {found}")]
    Gap {
        /// The position that should have come.
        expected: Position,
        /// The one that came.
        found: Position,
    },
    /// The read failed; try again.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The newest batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last event's position; `Position::START` for an empty log.
    pub position: Position,
    /// How many batches there are.
    pub batch_no: i64,
    /// The chain over all of them; 32 zero bytes for an empty log.
    pub chain: [u8; 32],
    /// When the last one was recorded; none for an empty log.
    pub recorded_at: Option<OffsetDateTime>,
}

/// A stream that has not been closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenStream {
    /// The stream.
    pub stream: StreamId,
    /// The owner of its newest event.
    pub owner: Option<OwnerId>,
    /// How many events it has.
    pub version: Version,
    /// Its first event.
    pub first_position: Position,
    /// Its newest event.
    pub last_position: Position,
    /// When that was recorded.
    pub last_recorded_at: OffsetDateTime,
}

/// Reads. All see at least everything whose append was answered before the call.
impl EventLog {
    /// The events of a stream after version `after`, in order; none if there is no such stream.
    ///
    /// # Errors
    /// The database or the key ring does not answer.
    pub async fn read_stream(&self, stream: StreamId, after: Version) -> Result<Vec<Recorded>, ReadError> {
        // The bounds spare it the partitions that hold nothing of the stream.
        let rows = select_events!(
            "WHERE e.stream_id = $1 AND e.version > $2
               AND e.position >= (SELECT first_position FROM es.stream WHERE stream_id = $1 ORDER BY version DESC LIMIT 1)
               AND e.position <= (SELECT last_position FROM es.stream WHERE stream_id = $1 ORDER BY version DESC LIMIT 1)
             ORDER BY e.version",
            stream.as_uuid(),
            after.get()
        );
        self.decoded(rows.fetch_all(self.pool()).await?).await
    }

    /// All events of several streams up to and with `up_to`, in position order.
    ///
    /// # Errors
    /// The database or the key ring does not answer.
    pub async fn read_streams(
        &self,
        streams: &[StreamId],
        up_to: Position,
    ) -> Result<Vec<Recorded>, ReadError> {
        let ids: Vec<Uuid> = streams.iter().map(|stream| stream.as_uuid()).collect();
        let rows = select_events!(
            "WHERE e.stream_id = ANY ($1) AND e.position <= $2
               AND e.position >= (SELECT min(first_position) FROM es.stream WHERE stream_id = ANY ($1))
               AND e.position <= (SELECT max(last_position) FROM es.stream WHERE stream_id = ANY ($1))
             ORDER BY e.position",
            &ids,
            up_to.get()
        );
        self.decoded(rows.fetch_all(self.pool()).await?).await
    }

    /// The events of a correlation after `after`, up to and with `up_to`, in position order: with
    /// [`EventLog::position_at`] its history as of any time.
    ///
    /// # Errors
    /// The database or the key ring does not answer.
    pub async fn read_correlation(
        &self,
        correlation: CorrelationId,
        after: Position,
        up_to: Position,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.read_correlation_page(correlation, after, up_to, usize::MAX).await
    }

    /// The same, at most `limit` events: hand the last one's position back as `after` to go on.
    ///
    /// # Errors
    /// The database or the key ring does not answer.
    pub async fn read_correlation_page(
        &self,
        correlation: CorrelationId,
        after: Position,
        up_to: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let rows = select_events!(
            "WHERE e.correlation_id = $1 AND e.position > $2 AND e.position <= $3 ORDER BY e.position LIMIT $4",
            correlation.as_uuid(),
            after.get(),
            up_to.get(),
            i64::try_from(limit).unwrap_or(i64::MAX)
        );
        self.decoded(rows.fetch_all(self.pool()).await?).await
    }

    /// The next events after `after`, at most `limit`, contiguous and in position order; none at the head.
    ///
    /// # Errors
    /// [`FeedError::Gap`] if the next event is not the one after `after`. A gap further on ends the page
    /// before it and is the next call's error.
    pub async fn feed(&self, after: Position, limit: usize) -> Result<Vec<Recorded>, FeedError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = select_events!("WHERE e.position > $1 ORDER BY e.position LIMIT $2", after.get(), limit);
        let rows = rows.fetch_all(self.pool()).await.map_err(ReadError::from)?;
        Ok(self.decoded(contiguous(rows, after, |row| row.position)?).await?)
    }

    /// The envelopes of the next events: [`EventLog::feed`] for whoever wants to know that something happened, at a
    /// fraction of its cost; nothing is unsealed or unpacked.
    ///
    /// # Errors
    /// See [`EventLog::feed`].
    pub async fn envelopes(&self, after: Position, limit: usize) -> Result<Vec<Envelope>, FeedError> {
        let rows = sqlx::query_as!(
            Envelope,
            r#"SELECT position AS "position: _", stream_id AS "stream: _", version AS "version: _",
                      category AS "category: _", owner_id AS "owner: _", correlation_id AS "correlation: _",
                      type AS event_type
               FROM es.event WHERE position > $1 ORDER BY position LIMIT $2"#,
            after.get(),
            i64::try_from(limit).unwrap_or(i64::MAX)
        );
        let rows = rows.fetch_all(self.pool()).await.map_err(ReadError::from)?;
        contiguous(rows, after, |row| row.position)
    }

    /// The end of the log.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn head(&self) -> Result<Head, ReadError> {
        let row = sqlx::query!(
            "SELECT last_position, batch_no, chain, recorded_at FROM es.batch ORDER BY batch_no DESC LIMIT 1"
        );
        let row = row.fetch_optional(self.pool()).await?;
        Ok(row.map_or(
            Head { position: Position::START, batch_no: 0, chain: GENESIS, recorded_at: None },
            |row| Head {
                position: Position::new(row.last_position),
                batch_no: row.batch_no,
                // Anything but 32 bytes is a fault that `verify` reports; here it equals no chain.
                chain: row.chain.try_into().unwrap_or(GENESIS),
                recorded_at: Some(row.recorded_at),
            },
        ))
    }

    /// The position of the last event recorded at `at` or before; `Position::START` if there was none.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn position_at(&self, at: OffsetDateTime) -> Result<Position, ReadError> {
        // Bisection: `low` is a batch at or before `at` (0 is before all), `high` one after it.
        let row = sqlx::query!(
            r#"WITH RECURSIVE search (low, high) AS (
                   SELECT 0::bigint, coalesce(max(batch_no), 0) + 1 FROM es.batch
                   UNION ALL
                   SELECT CASE WHEN b.recorded_at <= $1 THEN b.batch_no ELSE s.low END,
                          CASE WHEN b.recorded_at <= $1 THEN s.high ELSE b.batch_no END
                   FROM search AS s JOIN es.batch AS b ON b.batch_no = (s.low + s.high) / 2
                   WHERE s.high - s.low > 1
               )
               SELECT last_position FROM es.batch WHERE batch_no = (SELECT max(low) FROM search)"#,
            at
        );
        let row = row.fetch_optional(self.pool()).await?;
        Ok(row.map_or(Position::START, |row| Position::new(row.last_position)))
    }

    /// The open streams of a category after `after`, by stream id, at most `limit`: hand the last one back to
    /// go on.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open_streams(
        &self,
        category: Category,
        after: Option<StreamId>,
        limit: usize,
    ) -> Result<Vec<OpenStream>, ReadError> {
        let streams = sqlx::query_as!(
            OpenStream,
            r#"SELECT s.stream_id AS "stream: _", s.owner_id AS "owner: _", s.version AS "version: _",
                      s.first_position AS "first_position: _", s.last_position AS "last_position: _",
                      e.recorded_at AS last_recorded_at
               FROM es.open_stream AS o
               CROSS JOIN LATERAL (SELECT * FROM es.stream WHERE stream_id = o.stream_id ORDER BY version DESC LIMIT 1) AS s
               JOIN es.event AS e ON e.position = s.last_position
               WHERE o.category = $1 AND ($2::uuid IS NULL OR o.stream_id > $2)
               ORDER BY o.stream_id LIMIT $3"#,
            category.0,
            after.map(StreamId::as_uuid),
            i64::try_from(limit).unwrap_or(i64::MAX)
        );
        Ok(streams.fetch_all(self.pool()).await?)
    }

    /// The streams of a category that are an owner's by their newest event. Walks over all streams of the log: for what is
    /// rare and must miss nothing.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn streams_of(&self, owner: OwnerId, category: Category) -> Result<Vec<StreamId>, ReadError> {
        let streams = sqlx::query_scalar!(
            r#"SELECT stream_id AS "stream: StreamId" FROM es.stream
               WHERE owner_id = $1 AND category = $2 ORDER BY stream_id"#,
            owner.as_uuid(),
            category.0
        );
        Ok(streams.fetch_all(self.pool()).await?)
    }

    /// What a command has written, if it was recorded within the last seven days.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn command(&self, id: CommandId) -> Result<Option<Appended>, ReadError> {
        let row = sqlx::query!(
            "SELECT first_position, events, recorded_at FROM es.command WHERE command_id = $1",
            id.as_uuid()
        );
        let Some(row) = row.fetch_optional(self.pool()).await? else { return Ok(None) };
        let first = Position::new(row.first_position);
        let last = Position::new(row.first_position + i64::from(row.events) - 1);
        Ok(Some(appended(self.pool(), first, last, row.recorded_at).await?))
    }

    async fn decoded(&self, rows: Vec<EventRow>) -> Result<Vec<Recorded>, ReadError> {
        Ok(self.decoder().decode(rows).await?)
    }
}

/// What of `rows` follows on `after` without a gap.
fn contiguous<T>(
    mut rows: Vec<T>,
    after: Position,
    position: impl Fn(&T) -> Position,
) -> Result<Vec<T>, FeedError> {
    let next = rows.iter().zip(after.get() + 1..).take_while(|(row, next)| position(row).get() == *next);
    match (next.count(), rows.first()) {
        (0, Some(first)) => Err(FeedError::Gap { expected: after.next(), found: position(first) }),
        (whole, _) => {
            rows.truncate(whole);
            Ok(rows)
        }
    }
}

/// The append that wrote the events `first` to `last`.
pub(crate) async fn appended(
    pool: &PgPool,
    first: Position,
    last: Position,
    recorded_at: OffsetDateTime,
) -> Result<Appended, sqlx::Error> {
    let versions = sqlx::query!(
        r#"SELECT stream_id AS "stream: StreamId", max(version) AS "version!: Version" FROM es.event
           WHERE position BETWEEN $1 AND $2 GROUP BY stream_id ORDER BY min(position)"#,
        first.get(),
        last.get()
    );
    let versions = versions.fetch_all(pool).await?.into_iter().map(|row| (row.stream, row.version)).collect();
    Ok(Appended { first, last, versions, recorded_at })
}
