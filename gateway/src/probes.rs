//! What a process is asked about itself, by a balancer, a supervisor or Prometheus.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// Renders all metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What is checked for `/readyz`: a dependency, and a question that is answered with why it is not ready.
#[derive(Clone)]
pub struct Check {
    /// Of the dependency.
    pub name: &'static str,
    /// Whether the process can do nothing useful without it. One that can be done without is shown, and the process stays
    /// ready: a balancer that takes every gateway out because Redis is away would make an outage of a slower resume.
    pub needed: bool,
    /// Asked at each request, for two seconds at most.
    pub ask: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

/// How a process knows the answers.
#[derive(Clone)]
pub struct Probes {
    /// For `/readyz`.
    pub checks: Arc<[Check]>,
    /// For `/metrics`.
    pub render_metrics: RenderMetrics,
}

/// A process that is asked.
#[derive(Clone)]
pub(crate) struct Probed {
    pub(crate) probes: Probes,
    /// From then on it is not ready.
    pub(crate) drain: CancellationToken,
}
