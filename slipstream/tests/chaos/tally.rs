//! What was found, counted by fault.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::fault::Fault;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Count {
    /// Replies that ended as interrupted, where that is right. No violation.
    Interrupted,
    /// Replies of which a client has less than the log.
    Lost,
    /// Replies of which a client has more.
    Repeated,
    /// Questions without an acknowledgement and replies without an end.
    Unended,
    /// Replies that ended, but not in their time.
    Late,
    /// What was acknowledged and is not there, or not as recorded, when it is read again.
    Forgotten,
    /// Everything else that must not be: a rule of the protocol, a status, the log's proofs, a process that ended.
    Broken,
}

const COLUMNS: [(Count, &str); 7] = [
    (Count::Interrupted, "interrupted"),
    (Count::Lost, "lost"),
    (Count::Repeated, "repeated"),
    (Count::Unended, "unended"),
    (Count::Late, "late"),
    (Count::Forgotten, "forgotten"),
    (Count::Broken, "broken"),
];

/// What one fault, or many rounds of it, came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: usize,
    pub(crate) replies: usize,
    /// By how much the reply took longer that took longest.
    pub(crate) slowest: Duration,
    counts: BTreeMap<Count, usize>,
    /// What is wrong, in words.
    pub(crate) wrong: Vec<String>,
}

/// All faults.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<Fault, Tally>);

impl Tally {
    pub(crate) fn found(&mut self, count: Count, what: String) {
        *self.counts.entry(count).or_default() += 1;
        if count != Count::Interrupted {
            self.wrong.push(what);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.replies += other.replies;
        self.slowest = self.slowest.max(other.slowest);
        self.wrong.extend(other.wrong);
        for (count, number) in other.counts {
            *self.counts.entry(count).or_default() += number;
        }
    }
}

impl Table {
    pub(crate) fn add(&mut self, fault: Fault, tally: Tally) {
        self.0.entry(fault).or_default().add(tally);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.0.values().all(|tally| tally.wrong.is_empty())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<21}{:>7}{:>9}", "fault", "rounds", "replies")?;
        COLUMNS.iter().try_for_each(|(_, name)| write!(f, "{name:>12}"))?;
        write!(f, "{:>12}", "slowest, s")?;
        for (fault, tally) in &self.0 {
            write!(f, "\n{fault:<21}{:>7}{:>9}", tally.rounds, tally.replies)?;
            for (count, _) in COLUMNS {
                write!(f, "{:>12}", tally.counts.get(&count).copied().unwrap_or_default())?;
            }
            write!(f, "{:>12.1}", tally.slowest.as_secs_f64())?;
        }
        Ok(())
    }
}
