//! Time and new ids, so that no rule takes them from the air.

use slipstream_domain::Timestamp;
use uuid::Uuid;

/// What time it is. Law: never goes back within a process.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// New ids. Laws: no id is given twice; ids of one process rise with time (UUIDv7, RFC 9562).
pub trait Ids: Send + Sync {
    /// A new id.
    fn uuid(&self) -> Uuid;
}
