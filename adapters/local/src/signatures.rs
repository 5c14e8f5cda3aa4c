//! Signatures over the log as files in a folder, below one for each UTC day.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use slipstream_commands::ports::{PortError, Signatures};
use slipstream_eventlog::Signature;
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// A folder of signatures. Made when the first one is kept.
#[derive(Debug, Clone)]
pub struct FolderSignatures(PathBuf);

impl FolderSignatures {
    /// This folder; or a single file of one, to be read.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn broken(&self, error: impl std::fmt::Display) -> PortError {
        PortError { port: "the folder of signatures", reason: format!("{}: {error}", self.0.display()) }
    }
}

#[async_trait]
impl Signatures for FolderSignatures {
    async fn keep(&self, signature: &Signature) -> Result<(), PortError> {
        let text = serde_json::to_vec_pretty(signature).map_err(|error| self.broken(error))?;
        write(&self.0.join(signature.file_name()), &text).await.map_err(|error| self.broken(error))
    }

    async fn all(&self) -> Result<Vec<Signature>, PortError> {
        let mut all = Vec::new();
        for file in files(&self.0).await.map_err(|error| self.broken(error))? {
            let cannot =
                |error: &dyn std::fmt::Display| self.broken(format_args!("{}: {error}", file.display()));
            let text = fs::read(&file).await.map_err(|error| cannot(&error))?;
            all.push(serde_json::from_slice(&text).map_err(|error| cannot(&error))?);
        }
        Ok(all)
    }
}

/// Written beside and renamed, so that a crash never leaves half a signature; durable when this answers.
async fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).await?;
    let beside = file.with_extension("new");
    let mut written = fs::File::create(&beside).await?;
    written.write_all(text).await?;
    written.sync_all().await?;
    fs::rename(&beside, file).await?;
    fs::File::open(folder).await?.sync_all().await
}

/// The signatures below a folder, by name; the file itself when it is none.
async fn files(place: &Path) -> io::Result<Vec<PathBuf>> {
    if fs::metadata(place).await?.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![place.to_owned()]);
    while let Some(folder) = folders.pop() {
        let mut entries = fs::read_dir(&folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            if entry.file_type().await?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
