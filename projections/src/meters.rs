//! What is measured of the projectors: what this process applies, and how far each is behind, whoever runs it.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use slipstream_domain::Timestamp;
use slipstream_eventlog::{EventLog, FeedError, Position, ProjectorState};
use tokio_util::sync::CancellationToken;

use crate::followed::timestamp;

/// How often it is looked how far they are: as often as Prometheus usually asks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same while there is none: they begin with the process.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Says what every metric of the projections means.
pub fn describe_metrics() {
    describe_counter!(
        "slipstream_projection_events_total",
        Unit::Count,
        "Events of the log that this process has taken a projection past."
    );
    describe_gauge!(
        "slipstream_projection_position",
        Unit::Count,
        "The position in the log up to which a projection is built."
    );
    describe_gauge!(
        "slipstream_projection_lag_events",
        Unit::Count,
        "Events that a projection is behind the log."
    );
    describe_gauge!(
        "slipstream_projection_lag_seconds",
        Unit::Seconds,
        "The age of the oldest event that a projection has not been taken past; 0 when there is none."
    );
    describe_gauge!(
        "slipstream_projection_parked",
        Unit::Count,
        "Conversations that a projection has set aside because an event of theirs could not be applied."
    );
    describe_counter!(
        "slipstream_projection_parked_total",
        Unit::Count,
        "Conversations that this process has set aside in a projection."
    );
}

/// This process has taken a projection past so many events.
pub(crate) fn applied(projection: &'static str, events: usize) {
    counter!("slipstream_projection_events_total", "projection" => projection).increment(events as u64);
}

/// This process has set a correlation aside.
pub(crate) fn parked(projection: &'static str) {
    counter!("slipstream_projection_parked_total", "projection" => projection).increment(1);
}

/// Looks, until drained, how far behind the log each projection is. Reads the database alone, so that a projector that
/// stands still is seen too, and one of another process.
pub async fn watch_lag(log: EventLog, now: impl Fn() -> Timestamp + Send, drain: CancellationToken) {
    loop {
        let pause = match look(&log, now()).await {
            Ok(0) => LOOK_AGAIN,
            Ok(_) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "it cannot be seen how far projections are"
                );
                LOOK_EVERY
            }
        };
        if drain.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Answers how many there are.
async fn look(log: &EventLog, now: Timestamp) -> Result<usize, FeedError> {
    let head = log.head().await?.position;
    let projectors = log.projectors().await?;
    let count = projectors.len();
    for status in projectors.into_iter().filter(|status| status.state != ProjectorState::Retired) {
        let behind = head.get().saturating_sub(status.position.get());
        let waits = if behind > 0 { age_after(log, status.position, now).await? } else { Duration::ZERO };
        let labels = [
            ("projection", status.projector.name.to_string()),
            ("version", status.projector.version.to_string()),
        ];
        #[allow(clippy::cast_precision_loss, reason = "a gauge is a float; positions are exact up to 2^53")]
        let set = |metric: &'static str, value: i64| gauge!(metric, &labels).set(value as f64);
        set("slipstream_projection_position", status.position.get());
        set("slipstream_projection_lag_events", behind);
        set("slipstream_projection_parked", status.parked);
        gauge!("slipstream_projection_lag_seconds", &labels).set(waits.as_secs_f64());
    }
    Ok(count)
}

/// How old the event after `position` is.
async fn age_after(log: &EventLog, position: Position, now: Timestamp) -> Result<Duration, FeedError> {
    let next = log.feed(position, 1).await?;
    Ok(next.first().map_or(Duration::ZERO, |event| now.since(timestamp(event.recorded_at))))
}
