//! One blob's file: received aside and renamed into place when it is whole and on the disk; opened and read.

use std::io::{self, ErrorKind, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use slipstream_commands::ports::{BlobError, BlobMeta, ByteStream};
use slipstream_domain::MediaType;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::footer::{Footer, TAIL};
use super::unavailable;

/// Where files are received. No bucket can have this name.
const ASIDE: &str = ".incoming";
/// Read at a time: few system calls, and little memory per reader.
const PIECE: usize = 64 * 1024;
/// Nobody receives a file for so long without a byte: its process is gone.
const ABANDONED: Duration = Duration::from_hours(24);

/// A file that is received. Dropped before it is placed, it is removed.
pub(super) struct Incoming {
    folder: PathBuf,
    path: PathBuf,
    footer: Footer,
    size: u64,
}

impl Incoming {
    /// Makes the folder, and removes what was being received by a process that is gone.
    pub(super) fn sweep(folder: &Path) -> io::Result<()> {
        let aside = folder.join(ASIDE);
        std::fs::create_dir_all(&aside)?;
        for entry in std::fs::read_dir(aside)? {
            let entry = entry?;
            if entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > ABANDONED) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Writes the bytes and their footer aside, down to the disk.
    pub(super) async fn receive(
        folder: &Path,
        mime: &MediaType,
        bytes: ByteStream,
    ) -> Result<Self, BlobError> {
        let path = folder.join(ASIDE).join(Uuid::now_v7().to_string());
        let footer = Footer { mime: mime.clone(), sha256: String::new() };
        let mut file = File::create(&path).await.map_err(|error| unavailable(&error))?;
        let mut incoming = Self { folder: folder.to_owned(), path, footer, size: 0 };
        incoming.write(&mut file, bytes).await?;
        Ok(incoming)
    }

    async fn write(&mut self, file: &mut File, mut bytes: ByteStream) -> Result<(), BlobError> {
        let mut digest = Sha256::new();
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(BlobError::Source)?;
            digest.update(&piece);
            self.size += piece.len() as u64;
            file.write_all(&piece).await.map_err(|error| unavailable(&error))?;
        }
        self.footer.sha256 = hex::encode(digest.finalize());
        let finish = async {
            file.write_all(&self.footer.encode()?).await?;
            file.sync_all().await
        };
        finish.await.map_err(|error| unavailable(&error))
    }

    /// Puts the file into its place, durably.
    pub(super) async fn place(self, path: &Path) -> Result<BlobMeta, BlobError> {
        let placing = async {
            let made = make_parents(path).await?;
            fs::rename(&self.path, path).await?;
            // A name is durable when its folder is, and a new folder when the one above is.
            for folder in path.ancestors().skip(1).take_while(|above| above.starts_with(&self.folder)) {
                File::open(folder).await?.sync_all().await?;
                if !made {
                    break;
                }
            }
            Ok(())
        };
        placing.await.map_err(|error: io::Error| unavailable(&error))?;
        Ok(meta(&self.footer, self.size))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Placed already, or removed by the next start.
        std::fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// Whether the folder of a file had to be made.
async fn make_parents(path: &Path) -> io::Result<bool> {
    let parent = path.parent().unwrap_or(path);
    let made = !fs::try_exists(parent).await?;
    fs::create_dir_all(parent).await?;
    Ok(made)
}

/// A blob's file, open.
pub(super) struct StoredFile {
    file: File,
    pub(super) footer: Footer,
    size: u64,
}

impl StoredFile {
    pub(super) async fn open(path: &Path) -> Result<Self, BlobError> {
        Self::try_open(path).await.map_err(|error| match error {
            absent if is_absent(&absent) => BlobError::NotFound,
            other => unavailable(&other),
        })
    }

    async fn try_open(path: &Path) -> io::Result<Self> {
        let foreign = || io::Error::new(ErrorKind::InvalidData, "a file that is no blob's is in the folder");
        let mut file = File::open(path).await?;
        let metadata = file.metadata().await?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let tail_at = metadata.len().checked_sub(TAIL as u64).ok_or_else(foreign)?;
        file.seek(SeekFrom::Start(tail_at)).await?;
        let mut tail = [0; TAIL];
        file.read_exact(&mut tail).await?;
        let length = Footer::length(tail).ok_or_else(foreign)?;
        let size = tail_at.checked_sub(u64::from(length)).ok_or_else(foreign)?;
        file.seek(SeekFrom::Start(size)).await?;
        let mut json = vec![0; length as usize];
        file.read_exact(&mut json).await?;
        Ok(Self { file, footer: Footer::decode(&json)?, size })
    }

    pub(super) fn meta(&self) -> BlobMeta {
        meta(&self.footer, self.size)
    }

    /// Those bytes. They stay what they are when the blob is replaced or deleted meanwhile.
    pub(super) async fn read(mut self, range: Range<u64>) -> Result<ByteStream, BlobError> {
        self.file.seek(SeekFrom::Start(range.start)).await.map_err(|error| unavailable(&error))?;
        let part = self.file.take(range.end - range.start);
        Ok(ReaderStream::with_capacity(part, PIECE).boxed())
    }
}

fn meta(footer: &Footer, size: u64) -> BlobMeta {
    BlobMeta {
        size,
        mime: footer.mime.clone(),
        etag: format!("\"{}\"", footer.version_id()),
        version_id: Some(footer.version_id().to_owned()),
        checksum: Some(format!("sha256:{}", footer.sha256)),
        storage_class: None,
    }
}

/// Whether there is no such file: no name, a folder under that name, or a file where a folder should be.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory)
}
