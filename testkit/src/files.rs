//! Files for tests: a store in a folder, and a web that says what a test says.
#![allow(clippy::expect_used)] // a test without its surroundings has failed

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use slipstream_commands::ports::{FetchError, RemoteFile, SourceUrl, Web};
use slipstream_local::{FileBlobs, SystemClock, UrlSigner};

/// Blobs in a folder, with URLs that lead to nobody.
///
/// # Panics
/// When the folder cannot be used.
#[must_use]
pub fn file_store(folder: &Path) -> Arc<FileBlobs> {
    file_store_at(folder, "http://127.0.0.1:4000").0
}

/// The same with URLs that lead to whoever serves `public`, and their checker.
///
/// # Panics
/// When the folder cannot be used, or `public` is no URL.
#[must_use]
pub fn file_store_at(folder: &Path, public: &str) -> (Arc<FileBlobs>, Arc<UrlSigner>) {
    let public = public.parse().expect("a URL");
    let urls = Arc::new(UrlSigner::new(public, &[1; 32], Arc::new(SystemClock::new())));
    let blobs = FileBlobs::open(folder.to_owned(), urls.clone()).expect("a folder for files");
    (Arc::new(blobs), urls)
}

/// A web in which a test says what is at each URL.
pub struct ScriptedWeb<F>(pub F);

#[async_trait]
impl<F> Web for ScriptedWeb<F>
where
    F: Fn(&str) -> Result<RemoteFile, FetchError> + Send + Sync,
{
    async fn open(&self, url: &SourceUrl) -> Result<RemoteFile, FetchError> {
        (self.0)(url.url().as_str())
    }
}
