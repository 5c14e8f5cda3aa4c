//! Between the domain's values and what PostgreSQL holds. Numbers there are signed and end at 2^63 − 1.

use slipstream_domain::{ModelId, ProviderId, TerminalStatus};

use crate::error::QueryError;

/// As a bigint.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// From a bigint; a negative one is no count.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A provider's name out of a row.
pub(crate) fn provider(name: &str) -> Result<ProviderId, QueryError> {
    ProviderId::parse(name).map_err(|error| QueryError::Unreadable(error.to_string()))
}

/// A model's name out of a row.
pub(crate) fn model(name: &str) -> Result<ModelId, QueryError> {
    ModelId::parse(name).map_err(|error| QueryError::Unreadable(error.to_string()))
}

/// An end out of a row; `None` for a status that is none.
pub(crate) fn ended(status: &str) -> Option<TerminalStatus> {
    let ends = [
        TerminalStatus::Completed,
        TerminalStatus::Cancelled,
        TerminalStatus::Interrupted,
        TerminalStatus::Failed,
    ];
    ends.into_iter().find(|end| end.as_str() == status)
}

/// What should have been one of ours.
pub(crate) fn unknown(what: &str, word: &str) -> QueryError {
    QueryError::Unreadable(format!("unknown {what} {word:?}"))
}
