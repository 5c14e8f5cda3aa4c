//! One cluster and its server process: make, start, stop, watch. Knows no lock and no owner; whoever calls
//! it must be the only one for its folder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::PostgresError;
use crate::folder::{DataFolder, PORT};
use crate::postmaster::{self, Postmaster, State, is_server, until_gone};

/// The superuser `initdb` makes and the database made beside it.
const NAME: &str = "slipstream";

/// A laptop's server. `fsync` and `synchronous_commit` stay on, as they are by default.
const SETTINGS: [(&str, &str); 5] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "100"),
    ("shared_buffers", "128MB"),
    ("jit", "off"),
];

/// Recovery after a crash replays the log since the last checkpoint, which takes minutes at worst.
pub(crate) const START_LIMIT: Duration = Duration::from_mins(5);
/// A fast shutdown writes a checkpoint.
const FAST_LIMIT: Duration = Duration::from_mins(1);
const IMMEDIATE_LIMIT: Duration = Duration::from_secs(20);
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// Between two starts while the children of a killed server are still there.
const RETRY: Duration = Duration::from_millis(200);
/// How much of the log an error quotes.
const TAIL_BYTES: u64 = 2048;

/// How the server is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sessions are cut, a checkpoint is written.
    Fast,
    /// At once, without a checkpoint, as after a crash; the next start recovers what was committed.
    Immediate,
}

/// The server ended without being told to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Its exit status; `None` for an adopted server, which is not our child.
    pub status: Option<ExitStatus>,
    /// Its log, which has the reason.
    pub log: PathBuf,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgreSQL ended unexpectedly")?;
        if let Some(status) = self.status {
            write!(f, " ({status})")?;
        }
        write!(f, "; see {}", self.log.display())
    }
}

/// A PostgreSQL cluster in a folder of its own, reachable over a Unix socket only.
///
/// Dropping a running cluster asks the server for a fast shutdown and does not wait for it.
#[derive(Debug)]
pub struct Cluster {
    folder: DataFolder,
    account: Account,
    binaries: Binaries,
    settings: Vec<(String, String)>,
    server: Server,
}

#[derive(Debug)]
enum Server {
    Stopped,
    Child { child: Child, socket_dir: PathBuf },
    Adopted { pid: Pid, socket_dir: PathBuf },
}

impl Cluster {
    /// Opens the cluster in `folder`, making folder, cluster and the database `slipstream` when they are
    /// missing. The server is not started. `search` is where the programs are looked for (see
    /// [`usual_folders`](crate::usual_folders)); `settings` are server settings that win over the defaults.
    ///
    /// # Errors
    /// Missing programs, a folder that cannot be used, a failing `initdb`.
    pub async fn open(
        folder: &Path,
        search: &[PathBuf],
        settings: &[(&str, &str)],
    ) -> Result<Self, PostgresError> {
        let account = Account::current()?;
        let folder = DataFolder::prepare(folder, account)?;
        Self::prepare(folder, account, search, settings).await
    }

    pub(crate) async fn prepare(
        folder: DataFolder,
        account: Account,
        search: &[PathBuf],
        settings: &[(&str, &str)],
    ) -> Result<Self, PostgresError> {
        let made_by = folder.cluster_major();
        let binaries = Binaries::find(search, made_by).await?;
        let settings =
            SETTINGS.iter().chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let cluster = Self { folder, account, binaries, settings, server: Server::Stopped };
        if made_by.is_none() {
            cluster.create().await?;
        }
        Ok(cluster)
    }

    /// Starts the server, unless it runs already, and waits until it accepts connections, crash recovery
    /// included. Cancel safe: a second call goes on waiting. Answers the URL of the database `slipstream`, for sqlx or libpq; a later start may
    /// move the socket.
    ///
    /// # Errors
    /// [`PostgresError::StartFailed`] with the end of the log, [`PostgresError::StartTimedOut`] after five
    /// minutes.
    pub async fn start(&mut self) -> Result<String, PostgresError> {
        match timeout(START_LIMIT, self.start_unbounded()).await {
            Ok(started) => started.map(|socket_dir| url(&socket_dir, PORT)),
            Err(_elapsed) => {
                self.stop(Mode::Immediate).await?;
                Err(PostgresError::StartTimedOut { seconds: START_LIMIT.as_secs(), log: self.folder.log() })
            }
        }
    }

    /// Ends the server and waits for its end: after the limit of a fast shutdown it is ended immediately.
    /// Never kills: what was committed stays, whatever the mode. Does nothing when it does not run.
    ///
    /// # Errors
    /// [`PostgresError::StopTimedOut`] when the server outlasts both limits (80 s together).
    pub async fn stop(&mut self, mode: Mode) -> Result<(), PostgresError> {
        if let Some(pid) = self.pid().map(Pid::from_raw) {
            let ended = match mode {
                Mode::Fast => {
                    self.end(pid, Signal::SIGINT, FAST_LIMIT).await?
                        || self.end(pid, Signal::SIGQUIT, IMMEDIATE_LIMIT).await?
                }
                Mode::Immediate => self.end(pid, Signal::SIGQUIT, IMMEDIATE_LIMIT).await?,
            };
            if !ended {
                return Err(PostgresError::StopTimedOut { pid: pid.as_raw() });
            }
        }
        self.forget();
        Ok(())
    }

    /// Waits until the server has ended by itself; returns at once when it does not run. Cancel safe.
    pub async fn wait(&mut self) -> Death {
        let status = match &mut self.server {
            Server::Stopped => None,
            Server::Child { child, .. } => child.wait().await.ok(),
            Server::Adopted { pid, .. } => {
                until_gone(*pid).await;
                None
            }
        };
        Death { status, log: self.folder.log() }
    }

    /// The server's process id; `None` when it was stopped or never started.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        match &self.server {
            Server::Stopped => None,
            Server::Child { child, .. } => child.id().and_then(|id| i32::try_from(id).ok()),
            Server::Adopted { pid, .. } => Some(pid.as_raw()),
        }
    }

    /// The folder of the socket; `None` when the server was stopped or never started.
    #[must_use]
    pub fn socket_dir(&self) -> Option<&Path> {
        match &self.server {
            Server::Stopped => None,
            Server::Child { socket_dir, .. } | Server::Adopted { socket_dir, .. } => Some(socket_dir),
        }
    }

    /// Takes over a server that already runs for this folder.
    pub(crate) fn adopt(&mut self, pid: Pid, socket_dir: PathBuf) {
        self.server = Server::Adopted { pid, socket_dir };
    }

    /// `initdb`, then the database, in a folder that gets its final name last.
    async fn create(&self) -> Result<(), PostgresError> {
        let unfinished = self.folder.unfinished_cluster();
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(PostgresError::folder(&unfinished))?;
        }
        self.account.own_folder(&unfinished)?;
        let program = self.binaries.initdb();
        let mut initdb = self.account.command(&program);
        initdb.arg("--pgdata").arg(&unfinished).args([
            "--encoding=UTF8",
            // macOS has no C.UTF-8; both compare by bytes.
            if cfg!(target_os = "macos") { "--locale=C" } else { "--locale=C.UTF-8" },
            // The socket's folder is the gate: only its owner and root can enter it.
            "--auth-local=trust",
            "--auth-host=reject",
        ]);
        initdb.arg(format!("--username={NAME}"));
        run(&program, initdb, "").await?;

        // Single-user mode needs no client program and no running server.
        let program = self.binaries.postgres();
        let mut single = self.account.command(&program);
        single.arg("--single").arg("-D").arg(&unfinished).args(["-c", "exit_on_error=true", "postgres"]);
        run(&program, single, &format!("CREATE DATABASE {NAME};\n")).await?;

        let cluster = self.folder.cluster();
        fs::rename(&unfinished, &cluster).map_err(PostgresError::folder(&cluster))
    }

    async fn start_unbounded(&mut self) -> Result<PathBuf, PostgresError> {
        if let Some(socket_dir) = self.until_ready().await? {
            return Ok(socket_dir);
        }
        postmaster::mark_stale(&self.folder.cluster())?;
        loop {
            self.forget();
            let log_start = self.spawn()?;
            if let Some(socket_dir) = self.until_ready().await? {
                return Ok(socket_dir);
            }
            self.forget();
            let log = self.folder.log();
            let tail = tail(&log, log_start).map_err(PostgresError::folder(&log))?;
            // The children of a killed server end by themselves once they notice.
            if !tail.contains("pre-existing shared memory block") {
                return Err(PostgresError::StartFailed { log, tail });
            }
            sleep(RETRY).await;
        }
    }

    /// Starts the process; answers where in the log its words begin.
    fn spawn(&mut self) -> Result<u64, PostgresError> {
        let path = self.folder.log();
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let log = log.map_err(PostgresError::folder(&path))?;
        let log_start = log.metadata().map_err(PostgresError::folder(&path))?.len();
        let stdout = log.try_clone().map_err(PostgresError::folder(&path))?;

        let socket_dir = self.folder.make_socket_dir(self.account)?;
        let program = self.binaries.postgres();
        let mut command = self.account.command(&program);
        command.arg("-D").arg(self.folder.cluster());
        command.args(["-c", &format!("port={PORT}"), "-c", &socket_setting(&socket_dir)]);
        for (name, value) in &self.settings {
            command.args(["-c", &format!("{name}={value}")]);
        }
        // Its own process group: Ctrl-C in the terminal reaches us, and we stop the server in our order.
        command.process_group(0).stdout(stdout).stderr(log);
        let child = command.spawn().map_err(|source| PostgresError::Spawn { program, source })?;
        self.server = Server::Child { child, socket_dir };
        Ok(log_start)
    }

    /// The socket's folder once our server accepts connections, `None` once or when there is none.
    async fn until_ready(&mut self) -> Result<Option<PathBuf>, PostgresError> {
        let cluster = self.folder.cluster();
        while let Some(socket_dir) = self.serving()? {
            if let Some(written) = Postmaster::written(&cluster)?
                && Some(written.pid.as_raw()) == self.pid()
                && matches!(written.state, State::Ready { .. })
            {
                return Ok(Some(socket_dir));
            }
            sleep(POLL).await;
        }
        Ok(None)
    }

    /// The socket's folder while the process lives, as the operating system sees it now.
    fn serving(&mut self) -> Result<Option<PathBuf>, PostgresError> {
        let alive = match &mut self.server {
            Server::Stopped => false,
            Server::Child { child, .. } => {
                child.try_wait().map_err(PostgresError::folder(&self.binaries.postgres()))?.is_none()
            }
            Server::Adopted { pid, .. } => is_server(*pid),
        };
        Ok(self.socket_dir().filter(|_| alive).map(Path::to_owned))
    }

    /// Whether the server has ended within `limit` of the signal.
    async fn end(&mut self, pid: Pid, signal: Signal, limit: Duration) -> Result<bool, PostgresError> {
        postmaster::signal(pid, signal)?;
        let ended = async {
            match &mut self.server {
                Server::Child { child, .. } => drop(child.wait().await),
                Server::Stopped | Server::Adopted { .. } => until_gone(pid).await,
            }
        };
        Ok(timeout(limit, ended).await.is_ok())
    }

    /// Lets go of a server that has ended.
    fn forget(&mut self) {
        if let Some(socket_dir) = self.socket_dir() {
            self.folder.remove_socket_dir(socket_dir);
        }
        self.server = Server::Stopped;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(pid) = self.pid()
            && let Err(error) = postmaster::signal(Pid::from_raw(pid), Signal::SIGINT)
        {
            tracing::warn!(%error, "PostgreSQL keeps running");
        }
    }
}

/// The URL of our database behind a socket.
pub(crate) fn url(socket_dir: &Path, port: u16) -> String {
    let host = socket_dir.as_os_str().as_bytes().iter().fold(String::new(), |host, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
            host + &char::from(*byte).to_string()
        }
        _ => host + &format!("%{byte:02X}"),
    });
    format!("postgres://{NAME}@localhost:{port}/{NAME}?host={host}&sslmode=disable")
}

/// The setting is a list of quoted names.
fn socket_setting(socket_dir: &Path) -> String {
    format!("unix_socket_directories=\"{}\"", socket_dir.display().to_string().replace('"', "\"\""))
}

/// Runs a program to its end; its output is the error when it fails.
async fn run(program: &Path, mut command: Command, input: &str) -> Result<(), PostgresError> {
    let spawned = |source| PostgresError::Spawn { program: program.to_owned(), source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(spawned)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading tells why by its status.
        drop(stdin.write_all(input.as_bytes()).await);
    }
    let output = child.wait_with_output().await.map_err(spawned)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let output = String::from_utf8_lossy(&said).trim().to_owned();
    Err(PostgresError::CreateFailed { program: program.to_owned(), output })
}

/// The end of what was logged since `start`.
fn tail(log: &Path, start: u64) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(start.max(length.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_escapes_what_a_url_cannot_hold() {
        assert_eq!(
            url(Path::new("/my data/s"), 5432),
            "postgres://slipstream@localhost:5432/slipstream?host=/my%20data/s&sslmode=disable"
        );
    }

    #[test]
    fn a_comma_or_a_quote_in_the_path_is_part_of_one_name() {
        assert_eq!(socket_setting(Path::new("/a,\"b")), "unix_socket_directories=\"/a,\"\"b\"");
    }

    #[test]
    fn only_the_words_of_this_start_are_quoted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "old words\nFATAL: new words\n").unwrap();
        assert_eq!(tail(file.path(), 10).unwrap(), "FATAL: new words");
    }
}
