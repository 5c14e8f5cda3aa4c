//! What a running server says of itself in `postmaster.pid`, checked against the process table. The file
//! alone proves nothing: it survives a crash, and its process id may since belong to another program.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::error::PostgresError;

/// How often a server that is not our child is looked at.
const WATCH: Duration = Duration::from_millis(100);

/// A live server of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postmaster {
    pub(crate) pid: Pid,
    pub(crate) state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Ready { socket_dir: PathBuf, port: u16 },
    Stopping,
}

impl Postmaster {
    /// The server of `cluster`, or `None` when none is alive.
    pub(crate) fn find(cluster: &Path) -> Result<Option<Self>, PostgresError> {
        Ok(Self::written(cluster)?.filter(|server| is_server(server.pid)))
    }

    /// What `postmaster.pid` says, true or not.
    pub(crate) fn written(cluster: &Path) -> Result<Option<Self>, PostgresError> {
        let path = file(cluster);
        match fs::read(&path) {
            Ok(text) => Ok(parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PostgresError::Folder { path, source }),
        }
    }

    /// Whether the socket accepts a connection.
    pub(crate) async fn answers(&self) -> bool {
        match &self.state {
            State::Ready { socket_dir, port } => {
                UnixStream::connect(socket_dir.join(format!(".s.PGSQL.{port}"))).await.is_ok()
            }
            State::Starting | State::Stopping => false,
        }
    }
}

/// Marks a `postmaster.pid` as stale whose process id belongs to another program or to a zombie: PostgreSQL
/// would take either for a live server. It takes its own parent for none (`CreateLockFile` in
/// `src/backend/utils/init/miscinit.c`), so our id goes in. The rest of the file stays: PostgreSQL finds in it
/// the shared memory that surviving children of the dead server may still use.
pub(crate) fn mark_stale(cluster: &Path) -> Result<(), PostgresError> {
    let path = file(cluster);
    match Postmaster::written(cluster)? {
        Some(server) if exists(server.pid) && !is_server(server.pid) => {
            tracing::warn!(pid = server.pid.as_raw(), "postmaster.pid is stale");
            let mark = || {
                let text = fs::read(&path)?;
                let rest = text.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &text[end..]);
                fs::write(&path, [std::process::id().to_string().as_bytes(), rest].concat())
            };
            mark().map_err(PostgresError::folder(&path))
        }
        Some(_) | None => Ok(()),
    }
}

/// Sends a signal; a process that is already gone is no error.
pub(crate) fn signal(pid: Pid, signal: Signal) -> Result<(), PostgresError> {
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(source) => Err(PostgresError::Signal { pid: pid.as_raw(), source }),
    }
}

/// Whether `pid` is a live PostgreSQL server: neither another program nor a zombie nobody has reaped.
#[cfg(target_os = "linux")]
pub(crate) fn is_server(pid: Pid) -> bool {
    // proc(5): `pid (comm) state …`
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    stat.rsplit_once(") ").is_some_and(|(name, state)| name.contains("postgres") && !state.starts_with('Z'))
}

/// Whether `pid` is a live PostgreSQL server: neither another program nor a zombie nobody has reaped.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_server(pid: Pid) -> bool {
    let listed =
        std::process::Command::new("ps").args(["-o", "stat=,comm=", "-p", &pid.to_string()]).output();
    listed.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout);
        line.contains("postgres") && !line.starts_with('Z')
    })
}

/// Waits until a server that is not our child has ended. Cancel safe.
pub(crate) async fn until_gone(pid: Pid) {
    while is_server(pid) {
        sleep(WATCH).await;
    }
}

fn file(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

fn exists(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}

/// The lines are: process id (negative in single-user mode), cluster, start time, port, socket folder,
/// listen address, shared memory key, state. The later ones appear as the server comes up.
/// Source: PostgreSQL, `src/include/utils/pidfile.h`.
fn parse(text: &[u8]) -> Option<Postmaster> {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let word = |line: usize| std::str::from_utf8(lines.get(line)?).ok().map(str::trim);
    let pid = word(0)?.parse().ok().filter(|pid| *pid > 0)?;
    let state = match word(7) {
        Some("ready") => State::Ready {
            socket_dir: PathBuf::from(OsStr::from_bytes(lines.get(4)?)),
            port: word(3)?.parse().ok()?,
        },
        Some("stopping") => State::Stopping,
        _ => State::Starting,
    };
    Some(Postmaster { pid: Pid::from_raw(pid), state })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "4948\n/data/postgres\n1763964340\n5432\n/data/s\n\n  1234  56\nready   \n";

    #[test]
    fn a_ready_server_tells_its_socket() {
        let server = parse(READY.as_bytes()).unwrap();
        assert_eq!(server.pid, Pid::from_raw(4948));
        assert_eq!(server.state, State::Ready { socket_dir: "/data/s".into(), port: 5432 });
    }

    #[test]
    fn a_file_not_yet_complete_is_a_server_that_starts() {
        assert_eq!(parse(b"4948\n/data/postgres\n176396").unwrap().state, State::Starting);
        assert_eq!(parse(READY.replace("ready   ", "starting").as_bytes()).unwrap().state, State::Starting);
    }

    #[test]
    fn a_server_on_its_way_down_is_not_ready() {
        assert_eq!(parse(READY.replace("ready   ", "stopping").as_bytes()).unwrap().state, State::Stopping);
    }

    #[test]
    fn an_empty_file_and_a_single_user_session_are_no_server() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"-4948\n/data/postgres\n"), None);
    }

    #[test]
    fn a_recycled_process_id_is_no_server_and_only_that_line_is_changed() {
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let cluster = tempfile::tempdir().unwrap();
        let written = READY.replace("4948", &other.id().to_string());
        fs::write(file(cluster.path()), &written).unwrap();
        assert_eq!(Postmaster::find(cluster.path()).unwrap(), None);

        mark_stale(cluster.path()).unwrap();
        let marked = READY.replace("4948", &std::process::id().to_string());
        assert_eq!(fs::read_to_string(file(cluster.path())).unwrap(), marked);
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
