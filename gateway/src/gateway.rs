//! Puts the gateway together and serves it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use slipstream_commands::ports::{BlobUrls, Ids};
use slipstream_commands::{Attachments, Commands};
use slipstream_projections::{ReadModels, StreamState, follow};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::auth::Authenticate;
use crate::catalogue::Catalogue;
use crate::http;
use crate::hub::{News, Tiers};
use crate::probes::{Probed, Probes};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::socket::{Connections, Heartbeats, Tenures};

/// What the gateway needs.
#[allow(missing_docs, reason = "the types say it")]
pub struct GatewayDeps {
    pub app: Commands,
    pub files: Attachments,
    /// `None` when the store of files has a server of its own.
    pub blob_urls: Option<Arc<dyn BlobUrls>>,
    pub read_models: ReadModels,
    pub stream_state: Arc<dyn StreamState>,
    pub catalogue: Arc<dyn Catalogue>,
    pub authenticate: Arc<dyn Authenticate>,
    pub accounts: Option<Accounts>,
    pub ids: Arc<dyn Ids>,
    pub settings: Settings,
    pub probes: Probes,
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
}

impl Gateway {
    /// A gateway with these surroundings.
    #[must_use]
    pub fn new(deps: GatewayDeps) -> Self {
        Self { deps }
    }

    /// Starts what all connections need: tasks of `tasks`, which end with the last socket after the drain has begun.
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn start(self, tasks: TaskTracker, drain: CancellationToken) -> Result<Serving, GatewayError> {
        let GatewayDeps {
            app,
            files,
            blob_urls,
            read_models,
            stream_state,
            catalogue,
            authenticate,
            accounts,
            ids,
            settings,
            probes,
        } = self.deps;
        let head = app.log().head().await.map_err(|error| GatewayError::Log(Box::new(error)))?;
        let feed = follow(app.log(), head.position);
        let shared = Arc::new(Shared {
            tiers: Tiers { log: app.log().clone(), state: stream_state },
            app,
            files,
            blob_urls,
            models: read_models,
            catalogue,
            authenticate,
            accounts,
            ids,
            heartbeats: Heartbeats::new(&settings),
            settings,
            probed: Probed { probes, drain: drain.clone() },
            news: Arc::new(News::default()),
            connections: Arc::new(Connections::default()),
            tenures: Tenures::default(),
            tasks: tasks.clone(),
            sockets: TaskTracker::new(),
            drain,
        });
        // Those that sockets need until the last of them is gone.
        let gone = CancellationToken::new();
        tasks.spawn(shared.news.clone().run(feed, gone.clone()));
        tasks.spawn(shared.heartbeats.clone().run(gone.clone()));
        tasks.spawn(Tenures::run(shared.clone(), gone.clone()));
        tasks.spawn(all_gone(shared.clone(), gone));
        Ok(Serving { router: http::router(shared.clone()), shared })
    }

    /// Starts, and serves what `listener` takes in, until the drain: see [`Serving::serve`].
    ///
    /// # Errors
    /// The log does not answer at the start.
    pub async fn serve(
        self,
        listener: TcpListener,
        tasks: TaskTracker,
        drain: CancellationToken,
    ) -> Result<(), GatewayError> {
        self.start(tasks, drain).await?.serve(listener).await;
        Ok(())
    }
}

/// A gateway that takes connections.
#[derive(Clone)]
pub struct Serving {
    shared: Arc<Shared>,
    router: Router,
}

impl Serving {
    /// Serves until the drain: then nothing new is accepted, and every socket is closed with 1012: v1 and idle ones at
    /// once, the others when their replies have ended, at the latest after [`Settings::drain`], which HTTP requests under
    /// way have too. Connections, sockets and replies are tasks of their own and outlive this until then, and by three
    /// seconds more.
    pub async fn serve(self, listener: TcpListener) {
        http::serve(self.shared.intake(), self.router, listener).await;
    }

    /// Serves one connection, whatever carries it, such as one end of a pipe within the process, until it ends or has
    /// become a socket, which is a task of its own.
    pub async fn connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
    ) {
        http::connection(self.shared.intake(), self.router.clone(), stream, peer).await;
    }
}

/// Cancels `gone` once the drain has begun and no socket is left.
async fn all_gone(shared: Arc<Shared>, gone: CancellationToken) {
    shared.drain.cancelled().await;
    shared.sockets.close();
    shared.sockets.wait().await;
    gone.cancel();
}
