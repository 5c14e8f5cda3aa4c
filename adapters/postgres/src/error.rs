//! Everything that can keep the private server from running, each with the way out in its text.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::binaries::OLDEST_MAJOR;

/// Why the private PostgreSQL could not be started, joined or stopped.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No folder holds a usable `initdb` and `postgres`.
    #[error(
        "{} was not found (looked in {}); install it, for example with `apt-get install postgresql` or \
         `brew install postgresql`, or set DATABASE_URL to use a server you run yourself",
        wanted_version(*.wanted), list(.looked_in)
    )]
    BinariesMissing {
        /// The folders searched, in order.
        looked_in: Vec<PathBuf>,
        /// The major version the existing cluster needs; `None` when any supported one would do.
        wanted: Option<u32>,
    },
    /// We are root, PostgreSQL must not be, and the user it would run as does not exist.
    #[error(
        "PostgreSQL refuses to run as root and there is no user `postgres` to run it as; create it with \
         `useradd --system postgres`, or start slipstream as an ordinary user"
    )]
    NoUnprivilegedUser,
    /// We are root and the server's user cannot reach the data folder.
    #[error(
        "PostgreSQL runs as user `postgres`, which cannot enter {}; choose another data folder or run \
         `chmod o+x {}`",
        folder.display(), folder.display()
    )]
    Untraversable {
        /// The first folder on the way that the user cannot enter.
        folder: PathBuf,
    },
    /// Another process owns the data folder.
    #[error(
        "the data folder {} is in use by {}; stop it, or choose another one with --data-dir",
        dir.display(), pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    DataDirInUse {
        /// The data folder.
        dir: PathBuf,
        /// Its owner; `None` in the instant before the owner has written its id.
        pid: Option<i32>,
    },
    /// A file or folder under the data folder could not be used.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program of PostgreSQL could not be run at all.
    #[error("cannot run {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Making the cluster failed.
    #[error("{} failed: {output}", program.display())]
    CreateFailed {
        /// `initdb` or `postgres`.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The server ended before it was ready.
    #[error("PostgreSQL did not start: {tail} (see {})", log.display())]
    StartFailed {
        /// The server's log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The server was neither ready nor gone within the limit.
    #[error("PostgreSQL was not ready after {seconds} s (see {})", log.display())]
    StartTimedOut {
        /// The limit.
        seconds: u64,
        /// The server's log.
        log: PathBuf,
    },
    /// A server holds the cluster but does not answer, so it can be neither adopted nor joined.
    #[error(
        "process {pid} serves {} but does not answer; stop it with `kill -INT {pid}` and try again",
        dir.display()
    )]
    Unreachable {
        /// The data folder.
        dir: PathBuf,
        /// The server's process id.
        pid: i32,
    },
    /// The server did not end within the limits of a fast and of an immediate shutdown.
    #[error("PostgreSQL (process {pid}) does not stop; its data is safe, end it by hand")]
    StopTimedOut {
        /// The server's process id.
        pid: i32,
    },
    /// The operating system refused to deliver a signal.
    #[error("cannot signal PostgreSQL (process {pid})")]
    Signal {
        /// The server's process id.
        pid: i32,
        /// What the operating system said.
        source: Errno,
    },
}

impl PostgresError {
    /// For `map_err`: an I/O error with the path it was about.
    pub(crate) fn folder(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Folder { path: path.to_owned(), source }
    }
}

fn wanted_version(wanted: Option<u32>) -> String {
    match wanted {
        Some(major) => format!("PostgreSQL {major}, which made this data folder,"),
        None => format!("PostgreSQL {OLDEST_MAJOR} or newer"),
    }
}

fn list(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_binaries_name_the_folders_and_the_remedy() {
        let error =
            PostgresError::BinariesMissing { looked_in: vec!["/a".into(), "/b".into()], wanted: None };
        let text = error.to_string();
        assert!(text.starts_with("PostgreSQL 15 or newer was not found (looked in /a, /b)"), "{text}");
        assert!(text.contains("apt-get install postgresql"), "{text}");
    }

    #[test]
    fn a_folder_in_use_names_its_owner() {
        let error = PostgresError::DataDirInUse { dir: "/data".into(), pid: Some(7) };
        assert!(error.to_string().starts_with("the data folder /data is in use by process 7;"));
    }
}
