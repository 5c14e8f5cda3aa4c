//! Logs to standard error and metrics for `/metrics`.

use std::io::IsTerminal;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Sends logs to standard error: by `filter`, else by `RUST_LOG`, else what an operator must know.
///
/// # Errors
/// `filter` is not a filter.
pub(crate) fn log_to_stderr(filter: Option<&str>) -> anyhow::Result<()> {
    let filter = match filter {
        Some(filter) => {
            EnvFilter::try_new(filter).context("--log is not a filter such as info or sqlx=warn")?
        }
        // PostgreSQL's notices are no news to an operator.
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn")),
    };
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    Ok(())
}

/// Collects every metric from now on; the handle renders them for Prometheus.
///
/// # Errors
/// Somebody collects them already.
pub(crate) fn collect_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics cannot be collected")
}
