//! The lock file of a data folder. The kernel drops the lock with its holder, so a lock that can be taken
//! proves the holder written in the file dead; a clean end empties the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::PostgresError;
use crate::folder::DataFolder;

/// The lock, held until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    found: Vec<u8>,
}

impl Lock {
    /// Takes the lock and writes our process id.
    ///
    /// # Errors
    /// [`PostgresError::DataDirInUse`] when somebody holds it.
    pub(crate) fn take(folder: &DataFolder) -> Result<Self, PostgresError> {
        let path = folder.lock();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(PostgresError::folder(&path))?;
        let free = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(source)) => return Err(PostgresError::Folder { path, source }),
        };
        let mut found = Vec::new();
        file.read_to_end(&mut found).map_err(PostgresError::folder(&path))?;
        if !free {
            return Err(PostgresError::DataDirInUse { dir: folder.root().to_owned(), pid: owner(&found) });
        }
        let mut lock = Self { file, path, found };
        lock.write(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(lock)
    }

    /// Whether the last holder ended without [`Self::release`].
    pub(crate) fn holder_died(&self) -> bool {
        !self.found.is_empty()
    }

    /// Writes down where the server's socket is.
    pub(crate) fn record(&mut self, socket_dir: &Path) -> Result<(), PostgresError> {
        let mut text = format!("{}\n", std::process::id()).into_bytes();
        text.extend_from_slice(socket_dir.as_os_str().as_bytes());
        text.push(b'\n');
        self.write(&text)
    }

    /// Marks a clean end of the owner.
    pub(crate) fn release(mut self) -> Result<(), PostgresError> {
        self.write(b"")
    }

    /// Ends a short visit: the next owner must still learn of the death we found.
    pub(crate) fn restore(mut self) -> Result<(), PostgresError> {
        let found = std::mem::take(&mut self.found);
        self.write(&found)
    }

    fn write(&mut self, text: &[u8]) -> Result<(), PostgresError> {
        let mut write = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text)
        };
        write().map_err(PostgresError::folder(&self.path))
    }
}

/// Who holds the lock of a data folder now, without taking it: a process id, 0 in the instant before it is written.
/// `None` when nobody does, or when there is no such folder.
///
/// # Errors
/// The lock file cannot be read.
pub fn holder(data_dir: &Path) -> Result<Option<i32>, PostgresError> {
    let path = DataFolder::lock_in(data_dir);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(PostgresError::folder(&path))?,
    };
    match file.try_lock_shared() {
        // Given back as the file is closed: somebody who starts in this very instant is refused once.
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(source)) => return Err(PostgresError::Folder { path, source }),
    }
    let mut found = Vec::new();
    file.read_to_end(&mut found).map_err(PostgresError::folder(&path))?;
    Ok(Some(owner(&found).unwrap_or_default()))
}

fn owner(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text.split(|byte| *byte == b'\n').next()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataFolder::prepare(&temp.path().join("data"), Account::Own).unwrap();
        (temp, folder)
    }

    #[test]
    fn a_second_taker_learns_who_holds_the_lock() {
        let (_temp, folder) = folder();
        let _held = Lock::take(&folder).unwrap();
        let refused = Lock::take(&folder).unwrap_err();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(matches!(refused, PostgresError::DataDirInUse { pid: Some(pid), .. } if pid == own));
    }

    #[test]
    fn who_only_looks_learns_the_holder_and_leaves_the_lock_alone() {
        let (_temp, folder) = folder();
        assert_eq!(holder(folder.root()).unwrap(), None, "there is no lock file");
        let held = Lock::take(&folder).unwrap();
        assert_eq!(holder(folder.root()).unwrap(), i32::try_from(std::process::id()).ok());
        held.release().unwrap();
        assert_eq!(holder(folder.root()).unwrap(), None);
        assert!(Lock::take(&folder).is_ok());
    }

    #[test]
    fn a_released_lock_tells_of_no_death() {
        let (_temp, folder) = folder();
        let lock = Lock::take(&folder).unwrap();
        assert!(!lock.holder_died());
        lock.release().unwrap();
        assert!(!Lock::take(&folder).unwrap().holder_died());
    }

    #[test]
    fn a_dropped_lock_tells_of_a_death_even_after_a_visit() {
        let (_temp, folder) = folder();
        drop(Lock::take(&folder).unwrap());
        let visitor = Lock::take(&folder).unwrap();
        assert!(visitor.holder_died());
        visitor.restore().unwrap();
        assert!(Lock::take(&folder).unwrap().holder_died());
    }
}
