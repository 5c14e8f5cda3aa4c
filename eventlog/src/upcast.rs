//! Old versions of events, made new when they are read. Stored events never change.

use std::collections::HashMap;

use serde_json::Value;

use crate::{DecodeFault, EventType, Payload, Unsealed};

/// Turns both halves of version n of a type into version n + 1. The sealed half is none if the event has
/// none or it is erased.
pub type Upcast = fn(Value, Option<Value>) -> (Value, Option<Value>);

/// The event types this program knows and the way from each old version to the current one.
///
/// A type with k steps is known up to version k + 1, so no step can be missing. A type that is not listed is
/// handed on as it is stored.
#[derive(Clone, Debug, Default)]
pub struct Upcasters {
    steps: HashMap<&'static str, &'static [Upcast]>,
}

impl Upcasters {
    /// Takes each known type with its steps: the first makes version 2 of version 1, and so on.
    pub fn new(known: impl IntoIterator<Item = (&'static str, &'static [Upcast])>) -> Self {
        Self { steps: known.into_iter().collect() }
    }

    /// The steps an event still has to take, or the fault that it is from the future.
    pub(crate) fn pending(
        &self,
        event_type: &EventType,
        version: u16,
    ) -> Result<&'static [Upcast], DecodeFault> {
        let Some(steps) = self.steps.get(&**event_type) else { return Ok(&[]) };
        steps.get(usize::from(version).saturating_sub(1)..).ok_or_else(|| DecodeFault::NewerSchema {
            event_type: event_type.clone(),
            version,
            known: u16::try_from(steps.len() + 1).unwrap_or(u16::MAX),
        })
    }
}

/// Takes `steps` one after the other.
pub(crate) fn upcast(payload: Payload, steps: &[Upcast]) -> Result<Payload, DecodeFault> {
    if steps.is_empty() {
        return Ok(payload);
    }
    let data: Value = serde_json::from_str(&payload.data).map_err(|_| DecodeFault::Malformed)?;
    let (sealed, erased) = match payload.sealed {
        Some(Unsealed::Open(bytes)) => {
            (Some(serde_json::from_slice(&bytes).map_err(|_| DecodeFault::Malformed)?), false)
        }
        Some(Unsealed::Erased) => (None, true),
        None => (None, false),
    };
    let (data, sealed) = steps.iter().fold((data, sealed), |(data, sealed), step| step(data, sealed));
    let open = sealed.map(|value: Value| Unsealed::Open(value.to_string().into_bytes()));
    Ok(Payload { data: data.to_string(), sealed: if erased { Some(Unsealed::Erased) } else { open } })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    const RENAME_THEN_COUNT: &[Upcast] = &[
        |data, sealed| (json!({"title": data["name"]}), sealed),
        |data, sealed| {
            (json!({"title": data["title"], "length": data["title"].as_str().map(str::len)}), sealed)
        },
    ];

    fn upcasters() -> Upcasters {
        Upcasters::new([("Named", RENAME_THEN_COUNT)])
    }

    fn read(version: u16, data: &Value, sealed: Option<Unsealed>) -> Payload {
        let steps = upcasters().pending(&EventType::new("Named"), version).unwrap();
        upcast(Payload { data: data.to_string(), sealed }, steps).unwrap()
    }

    #[test]
    fn an_old_event_takes_every_step_that_was_added_since() {
        assert_eq!(read(1, &json!({"name": "abc"}), None).data, r#"{"length":3,"title":"abc"}"#);
        assert_eq!(read(2, &json!({"title": "abc"}), None).data, r#"{"length":3,"title":"abc"}"#);
        assert_eq!(read(3, &json!({"title": "x"}), None).data, r#"{"title":"x"}"#);
    }

    #[test]
    fn an_erased_half_stays_erased() {
        assert_eq!(read(1, &json!({"name": "abc"}), Some(Unsealed::Erased)).sealed, Some(Unsealed::Erased));
    }

    #[test]
    fn a_version_from_the_future_is_a_fault_that_names_both_versions() {
        let event_type = EventType::new("Named");
        let fault = upcasters().pending(&event_type, 4).unwrap_err();
        assert_eq!(fault, DecodeFault::NewerSchema { event_type, version: 4, known: 3 });
    }

    #[test]
    fn a_type_nobody_listed_is_handed_on() {
        assert!(upcasters().pending(&EventType::new("Other"), 9).unwrap().is_empty());
    }
}
