//! What `es.append_batch` and `es.append_one` answer, see `es.outcome`.

use std::{cmp::Reverse, collections::BTreeMap};

use time::OffsetDateTime;
use uuid::Uuid;

use super::Verdict;
use crate::{Position, StreamId, Version};

/// A row of theirs.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) append: i32,
    pub(super) code: i16,
    pub(super) first_position: Option<i64>,
    pub(super) events: Option<i32>,
    pub(super) recorded_at: Option<OffsetDateTime>,
    pub(super) stream_id: Option<Uuid>,
    pub(super) version: Option<i64>,
}

impl Outcome {
    /// None if the row is not one the functions make.
    fn verdict(self) -> Option<Verdict> {
        let stream = self.stream_id.map(StreamId::from_uuid);
        match self.code {
            0 => Some(Verdict::Written {
                first: Position::new(self.first_position?),
                recorded_at: self.recorded_at?,
            }),
            1 => Some(Verdict::Known {
                first: Position::new(self.first_position?),
                last: Position::new(self.first_position? + i64::from(self.events?) - 1),
                recorded_at: self.recorded_at?,
            }),
            2 => Some(Verdict::Closed(stream?)),
            3 => Some(Verdict::OtherCategory(stream?)),
            4 => Some(Verdict::Conflict { stream: stream?, actual: Version::new(self.version?) }),
            _ => None,
        }
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Answer {
    /// All of it is written, from this position on.
    Written { first: Position, recorded_at: OffsetDateTime },
    /// Nothing of it is, because of these appends, numbered from 1.
    Settled(BTreeMap<i32, Verdict>),
}

impl Answer {
    /// Of several for one append the lowest counts: a known command is
    /// known, however its streams have moved since.
    ///
    /// # Errors
    /// These are not rows the functions make.
    pub(super) fn of(outcomes: Vec<Outcome>, appends: i32) -> Result<Self, sqlx::Error> {
        Self::understood(outcomes, appends)
            .ok_or_else(|| sqlx::Error::Protocol("the database did not answer for every append".into()))
    }

    fn understood(mut outcomes: Vec<Outcome>, appends: i32) -> Option<Self> {
        outcomes.sort_by_key(|outcome| (outcome.append, Reverse(outcome.code)));
        let settled: BTreeMap<_, _> = outcomes
            .into_iter()
            .map(|outcome| Some((outcome.append, outcome.verdict()?)))
            .collect::<Option<_>>()?;
        match settled.first_key_value()? {
            (0, Verdict::Written { first, recorded_at }) => {
                Some(Self::Written { first: *first, recorded_at: *recorded_at })
            }
            (1.., _) if *settled.last_key_value()?.0 <= appends => Some(Self::Settled(settled)),
            (_, _) => None,
        }
    }
}
