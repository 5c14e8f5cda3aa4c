//! Why a query was not answered.

use slipstream_eventlog::ReadError;

/// Why a query was not answered. What is absent or another user's is never an error.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database or the key ring; try again.
    #[error("the read models do not answer for now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something stored cannot be read by this program.
    #[error("what is stored cannot be read: {0}")]
    Unreadable(String),
}

impl From<sqlx::Error> for QueryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<ReadError> for QueryError {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
