//! Puts the gateway together and serves it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use futures::future::BoxFuture;
use slipstream_commands::Commands;
use slipstream_commands::ports::Ids;
use slipstream_projections::{ReadModels, StreamState, follow};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Authenticate;
use crate::catalogue::Catalogue;
use crate::http;
use crate::hub::{Ends, Tiers};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::socket::{Connections, Heartbeats};

/// After the drain has begun, requests under way have this long.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// Renders all metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What is checked for `/readyz`: a dependency's name, and a question that is answered with why it is not ready.
#[derive(Clone)]
pub struct Check {
    /// Of the dependency.
    pub name: &'static str,
    /// Asked at each request, for two seconds at most.
    pub ask: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

/// What the gateway needs.
#[allow(missing_docs, reason = "the types say it")]
pub struct GatewayDeps {
    pub app: Commands,
    pub read_models: ReadModels,
    pub stream_state: Arc<dyn StreamState>,
    pub catalogue: Arc<dyn Catalogue>,
    pub authenticate: Arc<dyn Authenticate>,
    pub ids: Arc<dyn Ids>,
    pub settings: Settings,
    pub checks: Vec<Check>,
    pub render_metrics: RenderMetrics,
}

/// The gateway.
pub struct Gateway {
    deps: GatewayDeps,
}

/// Why the gateway does not serve.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The log does not answer.
    #[error("the gateway cannot read the log")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The listener failed.
    #[error("the gateway cannot listen")]
    Listen(#[from] std::io::Error),
}

impl Gateway {
    /// A gateway with these surroundings.
    #[must_use]
    pub fn new(deps: GatewayDeps) -> Self {
        Self { deps }
    }

    /// Serves until the drain: then nothing new is accepted, every socket is closed with 1012, and requests under way
    /// have five seconds. Sockets and replies are tasks of `tasks` and may outlive this by three seconds.
    ///
    /// # Errors
    /// The log does not answer at the start, or the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        tasks: TaskTracker,
        drain: CancellationToken,
    ) -> Result<(), GatewayError> {
        let GatewayDeps {
            app,
            read_models,
            stream_state,
            catalogue,
            authenticate,
            ids,
            settings,
            checks,
            render_metrics,
        } = self.deps;
        let head = app.log().head().await.map_err(|error| GatewayError::Log(Box::new(error)))?;
        let feed = follow(app.log(), head.position);
        let shared = Arc::new(Shared {
            tiers: Tiers { log: app.log().clone(), state: stream_state },
            app,
            models: read_models,
            catalogue,
            authenticate,
            ids,
            heartbeats: Heartbeats::new(&settings),
            settings,
            checks,
            render_metrics,
            ends: Arc::new(Ends::default()),
            connections: Arc::new(Connections::default()),
            tasks: tasks.clone(),
            drain: drain.clone(),
        });
        tasks.spawn(shared.ends.clone().run(feed, drain.clone()));
        tasks.spawn(shared.heartbeats.clone().run(drain.clone()));
        // Small frames go out at once. A peer for whom that cannot be set is served all the same.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let service = http::router(shared).into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(drain.clone().cancelled_owned());
        let patience = async {
            drain.cancelled().await;
            tokio::time::sleep(DRAIN_PATIENCE).await;
        };
        tokio::select! {
            served = serving.into_future() => Ok(served?),
            () = patience => Ok(()),
        }
    }
}
