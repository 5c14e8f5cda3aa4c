//! What the process tells about itself: logs, traces, metrics. Owns their formats and where they go; what there is to
//! tell, each crate says through `tracing` and `metrics`.
//!
//! Slipstream's own spans are there whatever is logged: they carry the trace from the gateway to the provider.

mod export;
mod logs;
mod metrics;
mod process;
mod trace;

use std::io::{self, IsTerminal};

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{self, LogFormat};
use crate::usage::Usage;

pub(crate) use self::metrics::{Metrics, collect_metrics};
pub(crate) use self::trace::traceparent;

/// Traces on their way to a collector. Stop it when everything else has ended.
#[must_use]
pub(crate) struct Telemetry(Option<SdkTracerProvider>);

/// Logs what `filter` lets through to standard error, and exports traces if there is an endpoint, from now on.
///
/// # Errors
/// The filter or the endpoint is none ([`Usage`]), or the process has been told already. A collector that does not answer is
/// no error.
pub(crate) fn start(
    filter: &str,
    format: LogFormat,
    settings: &config::Telemetry,
) -> anyhow::Result<Telemetry> {
    let usage = |error: anyhow::Error| Usage(format!("{error:#}"));
    let endpoint = settings.otlp_endpoint.as_deref();
    let exporter = endpoint.map(|endpoint| export::traces(endpoint, &settings.service_name));
    let exporter = exporter.transpose().map_err(usage)?;
    let traces = exporter.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("slipstream"))
            // Spans are entered and left at every poll of a reply: that must cost nothing.
            .with_context_activation(false)
            .with_tracked_inactivity(false)
            .with_threads(false)
            .with_location(false)
            .with_filter(own())
    });
    let colours = io::stderr().is_terminal();
    Registry::default()
        .with(trace::Join)
        .with(traces)
        .with(trace::Joined)
        .with(logs::layer(filter, format, io::stderr, colours).map_err(usage)?)
        .try_init()
        .context("logs and traces go somewhere already")?;
    Ok(Telemetry(exporter))
}

impl Telemetry {
    /// Hands over what waits, for two seconds at most. Blocks.
    pub(crate) fn stop(self) {
        if let Some(exporter) = self.0
            && let Err(error) = exporter.shutdown_with_timeout(export::GOODBYE)
        {
            tracing::warn!(%error, "the last spans may not have reached the collector");
        }
    }
}

/// Slipstream's own spans and events; not the finer ones, which are for whoever looks for a fault.
fn own() -> FilterFn {
    filter_fn(is_own as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= LevelFilter::INFO && metadata.target().starts_with("slipstream")
}
