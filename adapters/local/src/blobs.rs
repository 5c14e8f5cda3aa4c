//! Blobs as files below one folder: `<folder>/<bucket>/<key>`. A file is its content and then a footer that says what it is
//! ([`footer`]), so that one rename makes both true at once. The version of a blob is the digest of its content.

mod files;
mod footer;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_commands::ports::{
    Blob, BlobError, BlobMeta, BlobRead, BlobStore, ByteRange, ByteStream, Disposition, Listed, PortError,
    SignedUrl, UploadInstructions,
};
use slipstream_domain::{BlobKey, MediaType};

use crate::blob_urls::UrlSigner;
use files::{Incoming, StoredFile};

/// Blobs in a folder of this machine, with URLs that lead to this server.
pub struct FileBlobs {
    folder: PathBuf,
    urls: Arc<UrlSigner>,
}

impl FileBlobs {
    /// Blobs in this folder, made when it is not there. Remains of writes that a crash cut off are removed after a day.
    /// Several processes may share the folder.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(folder: PathBuf, urls: Arc<UrlSigner>) -> std::io::Result<Self> {
        Incoming::sweep(&folder)?;
        Ok(Self { folder, urls })
    }

    async fn file(&self, blob: &Blob) -> Result<StoredFile, BlobError> {
        let file = StoredFile::open(&self.path(&blob.key)).await?;
        let known = blob.version_id.as_deref().is_none_or(|version| file.footer.version_id() == version);
        if known { Ok(file) } else { Err(BlobError::NotFound) }
    }

    /// Within the folder whatever the key, by the promise of [`BlobKey`].
    fn path(&self, key: &BlobKey) -> PathBuf {
        self.folder.join(key.bucket()).join(key.key())
    }
}

#[async_trait]
impl BlobStore for FileBlobs {
    async fn sign_upload(
        &self,
        key: &BlobKey,
        mime: &MediaType,
        size: u64,
        expires_in: Duration,
    ) -> Result<UploadInstructions, BlobError> {
        let url = self.urls.upload(key, mime, size, expires_in).url;
        let headers = vec![("Content-Type".to_owned(), mime.to_string())];
        Ok(UploadInstructions { method: "PUT", url, headers, expires_in })
    }

    async fn sign_download(
        &self,
        blob: &Blob,
        disposition: &Disposition,
        expires_in: Duration,
    ) -> Result<SignedUrl, BlobError> {
        Ok(self.urls.download(blob, disposition, expires_in))
    }

    async fn head(&self, key: &BlobKey) -> Result<BlobMeta, BlobError> {
        Ok(StoredFile::open(&self.path(key)).await?.meta())
    }

    async fn get(&self, blob: &Blob, range: Option<ByteRange>) -> Result<BlobRead, BlobError> {
        let file = self.file(blob).await?;
        let meta = file.meta();
        let range = match range {
            None => 0..meta.size,
            Some(range) => range.within(meta.size).ok_or(BlobError::OutOfRange { size: meta.size })?,
        };
        Ok(BlobRead { bytes: file.read(range.clone()).await?, meta, range })
    }

    async fn put(&self, key: &BlobKey, mime: &MediaType, bytes: ByteStream) -> Result<BlobMeta, BlobError> {
        let incoming = Incoming::receive(&self.folder, mime, bytes).await?;
        incoming.place(&self.path(key)).await
    }

    async fn copy(&self, from: &Blob, to: &BlobKey) -> Result<BlobMeta, BlobError> {
        let read = self.get(from, None).await?;
        self.put(to, &read.meta.mime, read.bytes).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if !files::is_absent(&error) => Err(unavailable(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u16,
    ) -> Result<Vec<Listed>, BlobError> {
        let keys = walk::keys(self.folder.clone(), bucket, prefix, after, usize::from(limit)).await?;
        let mut listed = Vec::with_capacity(keys.len());
        for key in keys {
            match self.head(&key).await {
                Ok(meta) => listed.push(Listed { key, size: meta.size }),
                Err(BlobError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }
}

fn unavailable(error: &std::io::Error) -> BlobError {
    BlobError::Unavailable(PortError { port: "blob store", reason: error.to_string() })
}
