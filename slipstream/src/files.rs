//! The store of files: S3, or a folder whose URLs lead to this server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rand::RngExt;
use slipstream_commands::AttachmentSettings;
use slipstream_commands::ports::{BlobStore, BlobUrls, Clock};
use slipstream_local::{FileBlobs, UrlSigner};
use slipstream_s3::S3Blobs;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::{FilePlace, Files};
use crate::secrets::kept_as;
use crate::usage::Usage;

/// What URLs are signed with, beside the files, so that every process that shares the folder has the same. No bucket can
/// have this name.
const SECRET: &str = ".url-secret";

/// The store of files of a process.
pub(crate) struct Store {
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// `None` when the store has a server of its own.
    pub(crate) urls: Option<Arc<dyn BlobUrls>>,
    pub(crate) settings: AttachmentSettings,
}

/// Opens the store. `data_dir` is where a folder is made that no setting names, `listening` how clients reach this server
/// when no setting says it.
///
/// # Errors
/// The folder cannot be used, or nothing says where it should be.
pub(crate) fn open(
    files: &Files,
    data_dir: Option<&Path>,
    listening: SocketAddr,
    clock: Arc<dyn Clock>,
    tasks: &TaskTracker,
) -> anyhow::Result<Store> {
    let settings = files.attachments.clone();
    let (folder, public) = match &files.place {
        FilePlace::S3(s3) => {
            let blobs = Arc::new(S3Blobs::new(s3, clock, tasks.clone()));
            return Ok(Store { blobs, urls: None, settings });
        }
        FilePlace::Folder { folder, public } => (folder.clone(), public.clone()),
    };
    let folder = folder.or_else(|| data_dir.map(|data| data.join("files"))).ok_or_else(|| {
        Usage("nothing says where files are to be kept: set assets.folder, or a key to S3".to_owned())
    })?;
    let cannot = || format!("files cannot be kept in {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(cannot)?;
    let secret = kept_secret(&folder.join(SECRET)).with_context(cannot)?;
    let public = match public {
        Some(public) => public,
        None => Url::parse(&format!("http://{}", reached(listening))).context("the address to listen on")?,
    };
    let urls = Arc::new(UrlSigner::new(public, &secret, clock));
    let blobs = FileBlobs::open(folder.clone(), urls.clone()).with_context(cannot)?;
    Ok(Store { blobs: Arc::new(blobs), urls: Some(urls), settings })
}

/// An address that stands for all of this machine's is reached from this machine.
fn reached(listening: SocketAddr) -> SocketAddr {
    match listening.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listening.port()),
        _ => listening,
    }
}

/// The secret, made the first time.
fn kept_secret(file: &Path) -> std::io::Result<[u8; 32]> {
    kept_as(file, |bytes| bytes.try_into().ok(), || rand::rng().random::<[u8; 32]>().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(SECRET);
        let made = kept_secret(&file).unwrap();
        assert_ne!(made, [0; 32]);
        assert_eq!(kept_secret(&file).unwrap(), made);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_server_on_every_address_is_reached_on_this_machine() {
        assert_eq!(reached("0.0.0.0:4000".parse().unwrap()).to_string(), "127.0.0.1:4000");
        assert_eq!(reached("[::]:4000".parse().unwrap()).to_string(), "127.0.0.1:4000");
        assert_eq!(reached("192.0.2.1:80".parse().unwrap()).to_string(), "192.0.2.1:80");
    }
}
