//! An S3 server that is not ours, in the test's own process, and checks every signature, presigned ones too: with its headers,
//! its expiry and its key. Keeps no versions.
#![allow(clippy::expect_used)] // a test without its surroundings has failed

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The server; ends when it is dropped.
pub struct SignedS3 {
    address: SocketAddr,
    folder: TempDir,
    _serving: JoinSet<()>,
}

impl SignedS3 {
    /// The one key it knows.
    pub const ACCESS_KEY_ID: &str = "AKIATESTS";
    /// Its secret.
    pub const SECRET_ACCESS_KEY: &str = "a secret that signs";

    /// Starts it, with these buckets.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn start(buckets: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for buckets");
        for bucket in buckets {
            std::fs::create_dir(folder.path().join(bucket)).expect("a bucket");
        }
        let mut service =
            S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder for buckets"));
        service.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY_ID, Self::SECRET_ACCESS_KEY));
        let service = service.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    // A client that leaves is no matter.
                    drop(server.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        Self { address, folder, _serving: serving }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it keeps: a folder a bucket.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
