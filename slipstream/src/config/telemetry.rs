//! What the program tells about itself, and where: logs and telemetry.

use serde::{Deserialize, Serialize};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Logs, which go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Log {
    /// How they look.
    pub(crate) format: LogFormat,
    /// Which are written, such as `info` or `slipstream_workers=debug,sqlx=warn`.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        // PostgreSQL's notices are no news to an operator.
        Self { format: LogFormat::Pretty, filter: "info,sqlx=warn".to_owned() }
    }
}

/// Traces for a collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Telemetry {
    /// The collector's base URL; without one nothing is sent.
    pub(crate) otlp_endpoint: Option<String>,
    /// What the collector knows this process by.
    pub(crate) service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: None, service_name: "slipstream".to_owned() }
    }
}
