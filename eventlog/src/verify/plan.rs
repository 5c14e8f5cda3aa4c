//! Which stretches of the log are walked, and where events are looked at on the way. Every batch is in one of them.

use std::ops::RangeInclusive;

use sqlx::PgPool;

use super::Part;
use crate::{CorrelationId, Head, Position};

/// Batches of a stretch whose events are checked: a second or so of work.
const WITH_EVENTS: i64 = 1_000;
/// Batches of a stretch where only links are.
const LINKS: i64 = 100_000;

/// A stretch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// It begins after this batch.
    pub(super) after: i64,
    /// And ends with this one.
    pub(super) through: i64,
    /// Whether the events are checked, or the links alone.
    pub(super) events: bool,
}

pub(super) struct Plan {
    /// In log order.
    pub(super) segments: Vec<Segment>,
    /// How many events they check.
    pub(super) events: u64,
}

/// The newest batches.
pub(super) fn newest(head: &Head, batches: u32) -> Segment {
    let after = (head.batch_no - i64::from(batches)).max(0);
    Segment { after, through: head.batch_no, events: true }
}

impl Plan {
    pub(super) async fn of(pool: &PgPool, part: Part, head: &Head) -> Result<Self, sqlx::Error> {
        let runs = match part {
            Part::Whole => vec![1..=head.batch_no],
            Part::Positions(first, last) => range(pool, first, last, head).await?,
            Part::Correlation(correlation) => of_correlation(pool, correlation, head).await?,
        };
        let events = match part {
            Part::Whole => head.position.get().unsigned_abs(),
            Part::Positions(..) | Part::Correlation(_) => count(pool, &runs).await?,
        };
        Ok(Self { segments: segments(&runs, head.batch_no), events })
    }
}

/// Cuts `1..=head` where `runs` begin and end, and where a stretch gets too long.
fn segments(runs: &[RangeInclusive<i64>], head: i64) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut push = |mut after: i64, through: i64, events: bool| {
        let most = if events { WITH_EVENTS } else { LINKS };
        while after < through {
            let end = through.min(after + most);
            segments.push(Segment { after, through: end, events });
            after = end;
        }
    };
    let mut done = 0;
    for run in runs {
        push(done, run.start() - 1, false);
        push(run.start() - 1, *run.end(), true);
        done = *run.end();
    }
    push(done, head, false);
    segments
}

/// The batches that hold these positions.
async fn range(
    pool: &PgPool,
    first: Position,
    last: Position,
    head: &Head,
) -> Result<Vec<RangeInclusive<i64>>, sqlx::Error> {
    let start = batch_of(pool, first).await?;
    let end = batch_of(pool, last.min(head.position)).await?;
    Ok(start.zip(end).map(|(start, end)| start.batch_no..=end.batch_no).into_iter().collect())
}

/// The batches that hold a correlation's events.
async fn of_correlation(
    pool: &PgPool,
    correlation: CorrelationId,
    head: &Head,
) -> Result<Vec<RangeInclusive<i64>>, sqlx::Error> {
    let positions = sqlx::query_scalar!(
        r#"SELECT position AS "position: Position" FROM es.event
           WHERE correlation_id = $1 AND position <= $2 ORDER BY position"#,
        correlation.as_uuid(),
        head.position.get()
    );
    let mut runs: Vec<RangeInclusive<i64>> = Vec::new();
    let mut covered = Position::START;
    for position in positions.fetch_all(pool).await? {
        if position <= covered {
            continue;
        }
        let Some(batch) = batch_of(pool, position).await? else { continue };
        covered = batch.last.max(position);
        match runs.last_mut() {
            Some(run) if *run.end() + 1 >= batch.batch_no => {
                *run = *run.start()..=batch.batch_no.max(*run.end());
            }
            Some(_) | None => runs.push(batch.batch_no..=batch.batch_no),
        }
    }
    Ok(runs)
}

async fn count(pool: &PgPool, runs: &[RangeInclusive<i64>]) -> Result<u64, sqlx::Error> {
    let (starts, ends): (Vec<i64>, Vec<i64>) = runs.iter().map(|run| (*run.start(), *run.end())).unzip();
    let events = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(b.last_position - b.first_position + 1), 0)::bigint AS "events!"
           FROM unnest($1::bigint[], $2::bigint[]) AS r (first, last)
           JOIN es.batch AS b ON b.batch_no BETWEEN r.first AND r.last"#,
        &starts,
        &ends
    );
    Ok(events.fetch_one(pool).await?.unsigned_abs())
}

/// A batch by a position in it.
pub(crate) struct BatchOf {
    pub(crate) batch_no: i64,
    pub(crate) last: Position,
}

/// The batch that should hold a position: the first one that ends there or after it. Found by bisection: positions rise
/// with the number of the batch.
pub(crate) async fn batch_of(pool: &PgPool, position: Position) -> Result<Option<BatchOf>, sqlx::Error> {
    sqlx::query_as!(
        BatchOf,
        r#"WITH RECURSIVE search (low, high) AS (
               SELECT 0::bigint, coalesce(max(batch_no), 0) + 1 FROM es.batch
               UNION ALL
               SELECT CASE WHEN b.last_position < $1 THEN b.batch_no ELSE s.low END,
                      CASE WHEN b.last_position < $1 THEN s.high ELSE b.batch_no END
               FROM search AS s JOIN es.batch AS b ON b.batch_no = (s.low + s.high) / 2
               WHERE s.high - s.low > 1
           )
           SELECT batch_no, last_position AS "last: _" FROM es.batch WHERE batch_no = (SELECT min(high) FROM search)"#,
        position.get()
    )
    .fetch_optional(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_is_in_one_stretch_and_none_is_too_long() {
        let all = segments(&[3..=5, 9_000..=20_000], 250_000);
        assert_eq!(all.first(), Some(&Segment { after: 0, through: 2, events: false }));
        assert_eq!(all.last().map(|segment| segment.through), Some(250_000));
        assert!(all.windows(2).all(|two| two[0].through == two[1].after));
        let checked = all.iter().filter(|segment| segment.events);
        assert_eq!(checked.map(|segment| segment.through - segment.after).sum::<i64>(), 3 + 11_001);
        let length = |segment: &Segment| segment.through - segment.after;
        assert!(
            all.iter().all(|segment| length(segment) <= if segment.events { WITH_EVENTS } else { LINKS })
        );
        assert!(segments(&[], 0).is_empty(), "an empty log");
    }
}
