//! The event types this program knows, for the log: what is newer is refused, what is older is brought up to date.

use slipstream_domain::Event;
use slipstream_eventlog::{Upcast, Upcasters};

/// Every type of the domain. None has an older version yet; the first one that gets a new version gets its steps here.
#[must_use]
pub fn upcasters() -> Upcasters {
    const NONE: &[Upcast] = &[];
    Upcasters::new(Event::SCHEMAS.iter().flat_map(|types| types.iter().map(|(name, _)| (*name, NONE))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_above_the_first_has_its_steps() {
        for (name, version) in Event::SCHEMAS.iter().flat_map(|types| types.iter()) {
            assert_eq!(*version, 1, "{name} has version {version}: add its upcasters above");
        }
    }
}
