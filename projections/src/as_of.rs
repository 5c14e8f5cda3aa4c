//! A moment of the log, as an auditor names it: a position, or a time.

use std::str::FromStr;

use slipstream_eventlog::{EventLog, Position, ReadError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event_json::rfc3339;

/// A moment of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// With everything up to and with this position.
    Position(Position),
    /// With everything recorded at this time or before.
    Time(OffsetDateTime),
}

/// What is neither a position nor a time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a position (a whole number from 0) nor a time such as 2026-11-24T09:00:00Z")]
pub struct NoMoment;

/// Why a moment has no position.
#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    /// The log has not come so far.
    #[error("{asked} has not come yet: the log ends at position {head}")]
    NotYet {
        /// The position that is asked for.
        asked: Position,
        /// The last one there is.
        head: Position,
    },
    /// What is recorded until then nobody knows.
    #[error("{} is in the future: it is {} now", rfc3339(*.asked), rfc3339(*.now))]
    Future {
        /// The time that is asked for.
        asked: OffsetDateTime,
        /// By the clock that dates events.
        now: OffsetDateTime,
    },
    /// The database.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl FromStr for AsOf {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if let Ok(position) = text.parse::<i64>() {
            return if position >= 0 { Ok(Self::Position(Position::new(position))) } else { Err(NoMoment) };
        }
        OffsetDateTime::parse(text, &Rfc3339).map(Self::Time).map_err(|_| NoMoment)
    }
}

impl AsOf {
    /// The last position that was there.
    ///
    /// # Errors
    /// See [`AsOfError`].
    pub async fn position(self, log: &EventLog) -> Result<Position, AsOfError> {
        match self {
            Self::Position(asked) => {
                let head = log.head().await?.position;
                if asked > head { Err(AsOfError::NotYet { asked, head }) } else { Ok(asked) }
            }
            Self::Time(asked) => {
                let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()")
                    .fetch_one(log.pool())
                    .await
                    .map_err(ReadError::from)?;
                if asked > now {
                    Err(AsOfError::Future { asked, now })
                } else {
                    Ok(log.position_at(asked).await?)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_position_or_a_time() {
        assert_eq!("12".parse(), Ok(AsOf::Position(Position::new(12))));
        assert!(matches!("2026-11-24T09:00:00Z".parse(), Ok(AsOf::Time(_))));
        assert!(matches!("2026-11-24T10:00:00.5+01:00".parse(), Ok(AsOf::Time(_))));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for wrong in ["", "-1", "yesterday", "2026-11-24", "2026-11-24T09:00:00", "1.5"] {
            assert_eq!(wrong.parse::<AsOf>(), Err(NoMoment), "{wrong}");
        }
    }
}
