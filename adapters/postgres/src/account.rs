//! The operating-system user the server runs as, and what that user can reach. Changes no permission of a
//! folder it did not make.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{Gid, Uid, User};
use tokio::process::Command;

use crate::error::PostgresError;

/// Made by every distribution's server package.
const UNPRIVILEGED_USER: &str = "postgres";

/// Who runs the server: ourselves, or `postgres` when we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    Own,
    Unprivileged { uid: Uid, gid: Gid },
}

impl Account {
    pub(crate) fn current() -> Result<Self, PostgresError> {
        if !Uid::effective().is_root() {
            return Ok(Self::Own);
        }
        match User::from_name(UNPRIVILEGED_USER) {
            Ok(Some(user)) if !user.uid.is_root() => Ok(Self::Unprivileged { uid: user.uid, gid: user.gid }),
            Ok(_) | Err(_) => Err(PostgresError::NoUnprivilegedUser),
        }
    }

    /// A command run as this user. Its environment is empty, so that no `PG…` variable of the caller's shell
    /// reaches the server; its folder is `/`, because the user may be unable to enter ours.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        if let Self::Unprivileged { uid, gid } = self {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Makes `folder` (or takes the existing one) the user's own, mode 0700.
    pub(crate) fn own_folder(self, folder: &Path) -> Result<(), PostgresError> {
        let own = || {
            fs::create_dir_all(folder)?;
            if let Self::Unprivileged { uid, gid } = self {
                std::os::unix::fs::chown(folder, Some(uid.as_raw()), Some(gid.as_raw()))?;
            }
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        };
        own().map_err(PostgresError::folder(folder))
    }

    /// Refuses `path` when the user cannot enter every folder on the way to it, as far as it exists.
    pub(crate) fn check_reach(self, path: &Path) -> Result<(), PostgresError> {
        let Self::Unprivileged { uid, gid } = self else {
            return Ok(());
        };
        let existing = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let real = existing.canonicalize().map_err(PostgresError::folder(existing))?;
        let blocked = first_blocked(&real, uid.as_raw(), gid.as_raw(), |folder| {
            fs::metadata(folder).map(|meta| Entry { mode: meta.mode(), uid: meta.uid(), gid: meta.gid() })
        });
        match blocked.map_err(PostgresError::folder(&real))? {
            Some(folder) => Err(PostgresError::Untraversable { folder }),
            None => Ok(()),
        }
    }
}

struct Entry {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// The first folder from the root to `path` that the user may not enter.
fn first_blocked(
    path: &Path,
    uid: u32,
    gid: u32,
    look: impl Fn(&Path) -> io::Result<Entry>,
) -> io::Result<Option<PathBuf>> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    for folder in way {
        let entry = look(folder)?;
        let execute_bit = if entry.uid == uid {
            0o100
        } else if entry.gid == gid {
            0o010
        } else {
            0o001
        };
        if entry.mode & execute_bit == 0 {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(modes: &[(&str, u32, u32, u32)]) -> Option<PathBuf> {
        let deepest = Path::new(modes[modes.len() - 1].0);
        first_blocked(deepest, 101, 104, |folder| {
            let (_, mode, uid, gid) = modes.iter().find(|(name, ..)| Path::new(name) == folder).unwrap();
            Ok(Entry { mode: *mode, uid: *uid, gid: *gid })
        })
        .unwrap()
    }

    #[test]
    fn the_topmost_closed_folder_is_named() {
        let way = [("/", 0o755, 0, 0), ("/root", 0o700, 0, 0), ("/root/x", 0o700, 0, 0)];
        assert_eq!(blocked(&way), Some("/root".into()));
    }

    #[test]
    fn execute_permission_is_enough_to_pass() {
        assert_eq!(blocked(&[("/", 0o755, 0, 0), ("/data", 0o711, 0, 0)]), None);
    }

    #[test]
    fn the_owners_and_the_groups_bits_count_before_everyone_elses() {
        assert_eq!(blocked(&[("/", 0o755, 0, 0), ("/own", 0o700, 101, 0)]), None);
        assert_eq!(blocked(&[("/", 0o755, 0, 0), ("/own", 0o071, 101, 0)]), Some("/own".into()));
        assert_eq!(blocked(&[("/", 0o755, 0, 0), ("/group", 0o710, 0, 104)]), None);
        assert_eq!(blocked(&[("/", 0o755, 0, 0), ("/group", 0o701, 0, 104)]), Some("/group".into()));
    }
}
