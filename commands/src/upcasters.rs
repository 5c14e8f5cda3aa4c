//! The event types this program knows, for the log: what is newer is refused, what is older is brought up to date.

use serde_json::Value;
use slipstream_domain::Event;
use slipstream_eventlog::{Upcast, Upcasters};

/// Every type of the domain, each with a step for every version it has had before.
#[must_use]
pub fn upcasters() -> Upcasters {
    Upcasters::new(Event::SCHEMAS.iter().flat_map(|types| types.iter().map(|(name, _)| (*name, steps(name)))))
}

fn steps(event_type: &str) -> &'static [Upcast] {
    match event_type {
        // Version 2 may have editedFrom; what version 1 queued is no edit. Version 3 may ask for a picture.
        "UserMessageQueued" => &[as_it_is, as_it_is],
        // What version 1 does not say is not so: settings had no part in it, it asked for no picture, no limit withdrew it.
        "GenerationRequested" | "ReplyQueued" | "QueuedMessageWithdrawn" => &[as_it_is],
        _ => &[],
    }
}

fn as_it_is(data: Value, sealed: Option<Value>) -> (Value, Option<Value>) {
    (data, sealed)
}

#[cfg(test)]
mod tests {
    use slipstream_domain::Sealed;

    use super::*;

    #[test]
    fn every_version_above_the_first_has_its_steps() {
        for (name, version) in Event::SCHEMAS.iter().flat_map(|types| types.iter()) {
            assert_eq!(usize::from(*version), steps(name).len() + 1, "{name} has version {version}");
        }
    }

    #[test]
    fn every_old_sample_reads_after_its_steps() {
        for (name, version) in Event::SCHEMAS.iter().flat_map(|types| types.iter()) {
            for old in 1..*version {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/events");
                let text = std::fs::read_to_string(format!("{folder}/{name}.v{old}.json")).unwrap();
                let sample: Value = serde_json::from_str(&text).unwrap();
                let halves = (sample["data"].clone(), sample.get("sealed").cloned());
                let (data, sealed) = steps(name)[usize::from(old) - 1..]
                    .iter()
                    .fold(halves, |(data, sealed), step| step(data, sealed));
                let sealed = sealed.map(|half| half.to_string());
                let half = sealed.as_deref().map(|half| Sealed::Open(half.as_bytes()));
                assert!(Event::decode(name, &data.to_string(), half).is_ok(), "{name} version {old}");
            }
        }
    }
}
