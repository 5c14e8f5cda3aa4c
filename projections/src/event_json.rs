//! An event as JSON, and the time and the names in it: one shape for all who are told events, whatever they were.

use serde::Serialize;
use serde_json::Value;
use slipstream_domain::Category;
use slipstream_eventlog::{OwnerId, Payload, Position, Recorded, Unsealed};
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::followed::decode;

/// An event, told in full or without its personal half.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventJson<'a> {
    position: i64,
    recorded_at: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    schema_version: u16,
    category: String,
    stream: Uuid,
    version: i64,
    correlation: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Uuid>,
    command_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<Value>,
    /// The personal half was erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    /// Why this program cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

impl<'a> EventJson<'a> {
    /// Everything the log holds of it.
    #[must_use]
    pub fn whole(recorded: &'a Recorded) -> Self {
        let mut told = Self::clear(recorded);
        match recorded.payload.as_ref().ok().and_then(|payload| payload.sealed.as_ref()) {
            Some(Unsealed::Open(bytes)) => {
                // What is no JSON is unreadable, and said to be.
                told.sealed = serde_json::from_slice(bytes).ok();
            }
            Some(Unsealed::Erased) => told.erased = true,
            None => {}
        }
        told
    }

    /// All but its personal half.
    #[must_use]
    pub fn clear(recorded: &'a Recorded) -> Self {
        let data = |payload: &Payload| serde_json::from_str(&payload.data).ok();
        Self {
            position: recorded.position.get(),
            recorded_at: rfc3339(recorded.recorded_at),
            event_type: &recorded.event_type,
            schema_version: recorded.schema_version,
            category: category(recorded),
            stream: recorded.stream.as_uuid(),
            version: recorded.version.get(),
            correlation: recorded.correlation.as_uuid(),
            causation: recorded.causation.map(Position::get),
            owner: recorded.owner.map(OwnerId::as_uuid),
            command_id: recorded.command_id.as_uuid(),
            data: recorded.payload.as_ref().ok().and_then(data),
            sealed: None,
            erased: false,
            unreadable: decode(recorded).err().map(|unreadable| unreadable.why),
        }
    }
}

/// The name of the stream's kind, or its number when this program does not know it.
#[must_use]
pub fn category(recorded: &Recorded) -> String {
    let known = [
        (Category::User, "user"),
        (Category::Conversation, "conversation"),
        (Category::Generation, "generation"),
        (Category::Attachment, "attachment"),
        (Category::Email, "email"),
        (Category::Audit, "audit"),
    ];
    let named = known.iter().find(|(category, _)| category.number() == recorded.category.0);
    named.map_or_else(|| recorded.category.0.to_string(), |(_, name)| (*name).to_owned())
}

/// A time as RFC 3339 in UTC, cut to milliseconds.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let (date, time) = (at.date(), at.time());
    format!("{date}T{:02}:{:02}:{:02}.{:03}Z", time.hour(), time.minute(), time.second(), time.millisecond())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn times_are_told_in_utc_to_the_millisecond() {
        let parse =
            |text| OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        assert_eq!(rfc3339(parse("2026-11-24T10:00:00.0129+01:00")), "2026-11-24T09:00:00.012Z");
    }
}
