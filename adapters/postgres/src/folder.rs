//! Which files make up a data folder, and where the socket goes. Starts nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::error::PostgresError;

/// Names the socket file only: the server listens on no TCP port.
pub(crate) const PORT: u16 = 5432;

/// `sun_path` holds 104 bytes on macOS and 108 on Linux, with the closing zero (`unix(4)`, `unix(7)`).
const LONGEST_SOCKET_PATH: usize = 100;

/// What a socket folder under the system's temporary folder is called; `mkdtemp(3)` adds the rest.
const TEMPORARY_PREFIX: &str = "slipstream-";

/// The data folder of a user who names none: `/var/lib/slipstream` for root, otherwise
/// `$XDG_DATA_HOME/slipstream` or `~/.local/share/slipstream`. `None` when the environment names no home.
///
/// A relative `XDG_DATA_HOME` is ignored, as the XDG Base Directory Specification demands.
#[must_use]
pub fn default_data_dir(root: bool, xdg_data_home: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
    if root {
        return Some("/var/lib/slipstream".into());
    }
    let data_home = match xdg_data_home.map(Path::new).filter(|folder| folder.is_absolute()) {
        Some(folder) => folder.to_owned(),
        None => Path::new(home.filter(|home| !home.is_empty())?).join(".local/share"),
    };
    Some(data_home.join("slipstream"))
}

/// A data folder that exists and that the server's user can enter.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Makes the folder when it is missing: private to its user, or enterable when the server runs as another.
    pub(crate) fn prepare(path: &Path, account: Account) -> Result<Self, PostgresError> {
        let root = std::path::absolute(path).map_err(PostgresError::folder(path))?;
        account.check_reach(&root)?;
        if !root.exists() {
            let mode = match account {
                Account::Own => 0o700,
                Account::Unprivileged { .. } => 0o711,
            };
            fs::DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(&root)
                .and_then(|()| fs::set_permissions(&root, fs::Permissions::from_mode(mode)))
                .map_err(PostgresError::folder(&root))?;
            account.check_reach(&root)?;
        }
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Where a cluster is made before it gets its name, so that a half-made one is never taken for one.
    pub(crate) fn unfinished_cluster(&self) -> PathBuf {
        self.root.join("postgres.new")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        Self::lock_in(&self.root)
    }

    pub(crate) fn lock_in(root: &Path) -> PathBuf {
        root.join("slipstream.lock")
    }

    /// The major version that made the cluster; `None` when there is no cluster yet.
    pub(crate) fn cluster_major(&self) -> Option<u32> {
        fs::read_to_string(self.cluster().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// An empty folder for the socket that only the server's user and root can enter. Only for a server about
    /// to start: what a dead one left in the folder goes, for its lock would be believed.
    pub(crate) fn make_socket_dir(&self, account: Account) -> Result<PathBuf, PostgresError> {
        let inside = self.root.join("s");
        if inside.exists() {
            fs::remove_dir_all(&inside).map_err(PostgresError::folder(&inside))?;
        }
        let folder = if fits(&inside) { inside } else { temporary(account)? };
        account.own_folder(&folder)?;
        Ok(folder)
    }

    /// Removes a socket folder that [`Self::make_socket_dir`] put outside the data folder, once its server has
    /// ended. Any other folder stays: an adopted server may have been started by hand, with its socket in `/tmp`.
    pub(crate) fn remove_socket_dir(&self, folder: &Path) {
        let ours =
            folder.file_name().is_some_and(|name| name.as_bytes().starts_with(TEMPORARY_PREFIX.as_bytes()));
        if folder.starts_with(&self.root) || !ours {
            return;
        }
        // A server that ended without cleaning up leaves these two.
        for file in [socket_file(folder), folder.join(format!(".s.PGSQL.{PORT}.lock"))] {
            if let Err(error) = fs::remove_file(&file)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::debug!(file = %file.display(), %error, "a socket's file stays behind");
            }
        }
        if let Err(error) = fs::remove_dir(folder) {
            tracing::debug!(folder = %folder.display(), %error, "the socket folder stays behind");
        }
    }
}

fn socket_file(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

fn fits(folder: &Path) -> bool {
    socket_file(folder).as_os_str().as_bytes().len() <= LONGEST_SOCKET_PATH
}

/// A new folder with an unpredictable name under the system's temporary folder, or under `/tmp` when that is
/// itself too long or closed to the server's user.
fn temporary(account: Account) -> Result<PathBuf, PostgresError> {
    let template = |parent: PathBuf| parent.join(format!("{TEMPORARY_PREFIX}XXXXXX"));
    let preferred = template(std::env::temp_dir());
    let usable = fits(&preferred) && account.check_reach(&preferred).is_ok();
    let chosen = if usable { preferred } else { template("/tmp".into()) };
    nix::unistd::mkdtemp(&chosen)
        .map_err(|errno| PostgresError::Folder { path: chosen, source: errno.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_its_data_where_another_user_can_reach_it() {
        let home = OsStr::new("/root");
        assert_eq!(default_data_dir(true, None, Some(home)), Some("/var/lib/slipstream".into()));
    }

    #[test]
    fn an_ordinary_user_follows_xdg_and_then_home() {
        let home = Some(OsStr::new("/home/a"));
        let xdg = Some(OsStr::new("/xdg"));
        assert_eq!(default_data_dir(false, xdg, home), Some("/xdg/slipstream".into()));
        assert_eq!(default_data_dir(false, None, home), Some("/home/a/.local/share/slipstream".into()));
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored_and_no_home_is_said() {
        let relative = Some(OsStr::new("data"));
        assert_eq!(
            default_data_dir(false, relative, Some(OsStr::new("/home/a"))),
            Some("/home/a/.local/share/slipstream".into())
        );
        assert_eq!(default_data_dir(false, relative, Some(OsStr::new(""))), None);
        assert_eq!(default_data_dir(false, None, None), None);
    }

    #[test]
    fn only_a_socket_folder_of_our_making_is_removed() {
        let temp = tempfile::tempdir().unwrap();
        let folder = DataFolder::prepare(&temp.path().join("data"), Account::Own).unwrap();
        for name in ["run", "slipstream-abcdef"] {
            fs::create_dir(temp.path().join(name)).unwrap();
            fs::write(temp.path().join(name).join(".s.PGSQL.5432.lock"), "").unwrap();
            folder.remove_socket_dir(&temp.path().join(name));
        }
        assert!(temp.path().join("run/.s.PGSQL.5432.lock").exists());
        assert!(!temp.path().join("slipstream-abcdef").exists());
    }

    #[test]
    fn the_whole_socket_path_counts_against_the_limit() {
        let folder = |length: usize| PathBuf::from(format!("/{}", "d".repeat(length - 1)));
        assert!(fits(&folder(LONGEST_SOCKET_PATH - "/.s.PGSQL.5432".len())));
        assert!(!fits(&folder(LONGEST_SOCKET_PATH - "/.s.PGSQL.5432".len() + 1)));
    }
}
