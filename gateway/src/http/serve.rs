//! HTTP connections: taken in, and given up when they do not say in time what they want.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::settings::Settings;

/// After a connection could not be taken in: there are no file descriptors for now, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// How connections are taken in.
#[derive(Clone)]
pub(crate) struct Intake {
    tasks: TaskTracker,
    drain: CancellationToken,
    /// How long a request's head may take.
    request_head: Duration,
    /// How long requests have once the drain has begun.
    patience: Duration,
}

impl Intake {
    pub(crate) fn new(settings: &Settings, tasks: TaskTracker, drain: CancellationToken) -> Self {
        Self { tasks, drain, request_head: settings.request_head, patience: settings.drain }
    }
}

/// Takes connections in until the drain. Each is a task of its own, which ends with its requests, or becomes a socket.
pub(crate) async fn serve(intake: Intake, router: Router, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = intake.drain.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Small frames go out at once. A peer for whom that cannot be set is served all the same.
                drop(stream.set_nodelay(true));
                intake.tasks.spawn(connection(intake.clone(), router.clone(), stream, peer));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken in");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One connection, whatever carries it.
pub(crate) async fn connection(
    intake: Intake,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(intake.request_head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = pin!(served);
    // How it ends is the client's matter: it went away, or spoke no HTTP and has been told.
    tokio::select! {
        ended = served.as_mut() => return drop(ended),
        () = intake.drain.cancelled() => served.as_mut().graceful_shutdown(),
    }
    drop(timeout(intake.patience, served).await);
}
