//! New ids.

use slipstream_commands::ports::Ids;
use uuid::Uuid;

/// UUIDv7 (RFC 9562, 6.2 method 1: a counter within each millisecond), so that ids of this process rise.
#[derive(Debug, Default, Clone, Copy)]
pub struct UuidV7Ids;

impl UuidV7Ids {
    /// The ids of this process.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Ids for UuidV7Ids {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_rise_and_none_is_given_twice() {
        let ids = UuidV7Ids::new();
        let given: Vec<Uuid> = (0..10_000).map(|_| ids.uuid()).collect();
        assert!(given.is_sorted_by(|a, b| a < b));
    }
}
