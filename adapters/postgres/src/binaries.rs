//! Finds PostgreSQL's server programs. Downloads and installs nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::error::PostgresError;

/// The oldest server the log is written for (02-event-log).
pub(crate) const OLDEST_MAJOR: u32 = 15;

/// Folders that hold one folder a version, and where the programs are inside it: Debian and Ubuntu, Red Hat,
/// Homebrew on ARM, on Intel and on Linux, Postgres.app.
const VERSIONED: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// One usable set of PostgreSQL's server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder that holds `initdb` and `postgres`.
    pub folder: PathBuf,
    /// The major version, at least 15.
    pub major: u32,
}

impl Binaries {
    /// The first of `folders` that holds `initdb` and `postgres`, of major version `wanted` or, when that is
    /// `None`, of any supported one.
    ///
    /// # Errors
    /// [`PostgresError::BinariesMissing`] naming the folders.
    pub async fn find(folders: &[PathBuf], wanted: Option<u32>) -> Result<Self, PostgresError> {
        for folder in folders {
            if !folder.join("initdb").is_file() {
                continue;
            }
            let Some(major) = version_of(&folder.join("postgres")).await else {
                continue;
            };
            if wanted.map_or(major >= OLDEST_MAJOR, |wanted| wanted == major) {
                return Ok(Self { folder: folder.clone(), major });
            }
        }
        Err(PostgresError::BinariesMissing { looked_in: folders.to_vec(), wanted })
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }
}

/// Where PostgreSQL usually is: the folders of `path` (the `PATH` of the environment), then the install
/// folders of the common packagers, newest version first.
#[must_use]
pub fn usual_folders(path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = path
        .map(|path| std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect())
        .unwrap_or_default();
    for (parent, prefix, inner) in VERSIONED {
        folders
            .extend(newest_first(Path::new(parent), prefix).into_iter().map(|version| version.join(inner)));
    }
    folders.push("/usr/local/pgsql/bin".into());
    folders
}

/// The sub-folders of `parent` named `<prefix><version>`, newest first. A missing parent has none.
fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path()))
        })
        .collect();
    versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// The major version a `postgres` program reports; `None` when it cannot be run.
async fn version_of(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").kill_on_drop(true).output().await.ok()?;
    parse_version(std::str::from_utf8(&output.stdout).ok()?)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)` and `postgres (PostgreSQL) 18beta1`.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_betas_tell_their_major_version() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_version("mysqld  Ver 8.0\n"), None);
    }

    #[test]
    fn the_newest_version_comes_first_and_other_names_are_passed_over() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["pg-9", "pg-15", "pg-100", "pg-old", "other"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let names: Vec<_> = newest_first(parent.path(), "pg-")
            .iter()
            .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["pg-100", "pg-15", "pg-9"]);
    }

    #[test]
    fn the_path_is_searched_before_the_install_folders() {
        let folders = usual_folders(Some(OsStr::new("/first:relative:/second")));
        assert_eq!(folders[..2], [PathBuf::from("/first"), PathBuf::from("/second")]);
        assert_eq!(folders.last().unwrap(), Path::new("/usr/local/pgsql/bin"));
    }
}
