//! A moment of the log, as an auditor names it: a position, or a time.

use std::str::FromStr;

use anyhow::bail;
use slipstream_eventlog::{EventLog, Position};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::envelope::rfc3339;

/// A moment of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsOf {
    /// With everything up to and with this position.
    Position(Position),
    /// With everything recorded at this time or before.
    Time(OffsetDateTime),
}

/// What is neither a position nor a time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a position (a whole number from 0) nor a time such as 2026-11-24T09:00:00Z")]
pub(crate) struct NoMoment;

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
    /// It has not come yet; the database does not answer.
    pub(crate) async fn position(self, log: &EventLog) -> anyhow::Result<Position> {
        match self {
            Self::Position(position) => {
                let head = log.head().await?.position;
                if position > head {
                    bail!("--as-of {position} has not come yet: the log ends at position {head}");
                }
                Ok(position)
            }
            Self::Time(time) => {
                // The clock that dates events.
                let now: OffsetDateTime =
                    sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(log.pool()).await?;
                if time > now {
                    bail!("--as-of {} is in the future: it is {} now", rfc3339(time), rfc3339(now));
                }
                Ok(log.position_at(time).await?)
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
