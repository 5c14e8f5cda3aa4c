//! Logs to standard error and metrics for `/metrics`.

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
        None => EnvFilter::builder()
            .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
            .from_env_lossy(),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}

/// Collects every metric from now on; the handle renders them for Prometheus.
///
/// # Errors
/// Somebody collects them already.
pub(crate) fn collect_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics cannot be collected")
}
