//! What is measured of the vendors. Labels are the catalogue's providers and the classes of errors.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use slipstream_domain::{ErrorClass, ProviderId};

/// Says what every metric of the providers means.
pub fn describe_metrics() {
    describe_counter!(
        "slipstream_provider_requests_total",
        Unit::Count,
        "Requests sent to a provider, each attempt counted."
    );
    describe_counter!(
        "slipstream_provider_retries_total",
        Unit::Count,
        "Requests sent to a provider because the one before had failed."
    );
    describe_counter!(
        "slipstream_provider_errors_total",
        Unit::Count,
        "Requests that failed, by class of error."
    );
    describe_histogram!(
        "slipstream_provider_first_token_seconds",
        Unit::Seconds,
        "From a request to a provider to the first text or thinking of its answer."
    );
    describe_gauge!(
        "slipstream_provider_circuits_open",
        Unit::Count,
        "Circuit breakers, one for each owner of a key, that let nothing through to a provider but a probe."
    );
}

/// A request is sent, the `attempt`th of its call.
pub(crate) fn request(provider: &ProviderId, attempt: u32) {
    counter!("slipstream_provider_requests_total", "provider" => label(provider)).increment(1);
    if attempt > 1 {
        counter!("slipstream_provider_retries_total", "provider" => label(provider)).increment(1);
    }
}

/// A request has failed.
pub(crate) fn failure(provider: &ProviderId, class: ErrorClass) {
    counter!("slipstream_provider_errors_total", "provider" => label(provider), "class" => class.as_str())
        .increment(1);
}

/// A provider has begun to answer.
pub(crate) fn first_token(provider: &ProviderId, took: Duration) {
    histogram!("slipstream_provider_first_token_seconds", "provider" => label(provider)).record(took);
}

/// So many circuits of a provider are open.
pub(crate) fn circuits_open(provider: &ProviderId, open: usize) {
    #[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^53")]
    gauge!("slipstream_provider_circuits_open", "provider" => label(provider)).set(open as f64);
}

fn label(provider: &ProviderId) -> String {
    provider.as_str().to_owned()
}
