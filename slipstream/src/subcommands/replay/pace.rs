//! How fast a story is told.

use std::str::FromStr;
use std::time::Duration;

use time::OffsetDateTime;

/// A silence is told as one of this length at the most: nobody waits for the next day.
const LONGEST: Duration = Duration::from_secs(5);

/// How many times faster than it happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// Without pauses.
    Max,
    Times(f64),
}

/// What is no speed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither max nor a speed such as 1x, 0.5x or 10x")]
pub(crate) struct NoSpeed;

/// The pauses between what is told.
pub(super) struct Pace {
    speed: Speed,
    last: Option<OffsetDateTime>,
}

impl FromStr for Speed {
    type Err = NoSpeed;

    fn from_str(text: &str) -> Result<Self, NoSpeed> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.strip_suffix('x').and_then(|times| times.parse().ok());
        times.filter(|times: &f64| (0.001..=1e6).contains(times)).map(Self::Times).ok_or(NoSpeed)
    }
}

impl Pace {
    pub(super) fn new(speed: Speed) -> Self {
        Self { speed, last: None }
    }

    /// How long to wait before telling what was recorded `at`.
    pub(super) fn before(&mut self, at: OffsetDateTime) -> Option<Duration> {
        let silence = at - self.last.replace(at)?;
        match self.speed {
            Speed::Max => None,
            Speed::Times(times) => {
                let silence = Duration::try_from(silence).unwrap_or_default();
                Some(silence.min(LONGEST.mul_f64(times)).div_f64(times)).filter(|pause| !pause.is_zero())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_of_times_or_the_most_there_is() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("1x".parse(), Ok(Speed::Times(1.0)));
        assert_eq!("0.5x".parse(), Ok(Speed::Times(0.5)));
        for wrong in ["", "1", "x", "0x", "-1x", "NaNx", "infx", "fast"] {
            assert_eq!(wrong.parse::<Speed>(), Err(NoSpeed), "{wrong}");
        }
    }

    #[test]
    fn pauses_are_those_between_events_and_never_long() {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds);
        let pauses = |speed| {
            let mut pace = Pace::new(speed);
            [0, 0, 2, 4000].map(|seconds| pace.before(at(seconds)).map(|pause| pause.as_millis()))
        };
        assert_eq!(pauses(Speed::Times(1.0)), [None, None, Some(2000), Some(5000)]);
        assert_eq!(pauses(Speed::Times(4.0)), [None, None, Some(500), Some(5000)]);
        assert_eq!(pauses(Speed::Max), [None; 4]);
    }
}
