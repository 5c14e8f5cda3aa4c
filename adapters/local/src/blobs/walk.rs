//! Finds the keys under a prefix. Holds no more names than it is asked for, however many there are.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use slipstream_commands::ports::{BlobError, PortError};
use slipstream_domain::BlobKey;

use super::unavailable;

/// The first `limit` keys that begin with `prefix` and come after `after`, in the order of their bytes.
pub(super) async fn keys(
    folder: PathBuf,
    bucket: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<BlobKey>, BlobError> {
    let after = after.unwrap_or_default().to_owned();
    let mut walk =
        Walk { bucket: bucket.to_owned(), prefix: prefix.to_owned(), after, limit, found: BTreeSet::new() };
    let walking = tokio::task::spawn_blocking(move || {
        walk.visit(&folder.join(&walk.bucket), "")?;
        Ok::<_, io::Error>(walk.found.into_iter().collect())
    });
    match walking.await {
        Ok(done) => done.map_err(|error| unavailable(&error)),
        Err(gone) => Err(PortError { port: "blob store", reason: gone.to_string() }.into()),
    }
}

struct Walk {
    bucket: String,
    prefix: String,
    after: String,
    limit: usize,
    found: BTreeSet<BlobKey>,
}

impl Walk {
    /// Visits a folder whose keys begin with `above`.
    fn visit(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.file_type()?.is_dir() {
                let below = format!("{above}{name}/");
                if below.starts_with(&self.prefix) || self.prefix.starts_with(&below) {
                    self.visit(&entry.path(), &below)?;
                }
            } else {
                self.keep(&format!("{above}{name}"));
            }
        }
        Ok(())
    }

    fn keep(&mut self, key: &str) {
        if key.starts_with(&self.prefix) && key > self.after.as_str() {
            if let Ok(key) = BlobKey::parse(&self.bucket, key) {
                self.found.insert(key);
            }
            if self.found.len() > self.limit {
                self.found.pop_last();
            }
        }
    }
}
