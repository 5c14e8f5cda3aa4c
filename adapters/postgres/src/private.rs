//! The server of a data folder as the commands of slipstream use it: one owner at a time, others are guests.
//! Knows nothing of what is stored.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use crate::account::Account;
use crate::cluster::{self, Cluster, Death, Mode, POLL, START_LIMIT};
use crate::error::PostgresError;
use crate::folder::DataFolder;
use crate::lock::Lock;
use crate::postmaster::{Postmaster, State, until_gone};

/// A server that says it is ready accepts connections in that instant; more patience only helps a machine
/// under heavy load.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How the process before us left the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousOwner {
    /// There was none, or it ended cleanly.
    None,
    /// It ended without saying so. The lock proves it gone: what it was doing may be taken over at once.
    Dead,
}

/// A running private PostgreSQL.
///
/// Dropping it without [`stop`](Self::stop) asks an owned server for a fast shutdown without waiting, and
/// leaves the lock file telling of a death.
#[derive(Debug)]
pub struct PrivatePostgres {
    url: String,
    previous_owner: PreviousOwner,
    server: Server,
    claim: Claim,
}

#[derive(Debug)]
enum Server {
    Ours(Box<Cluster>),
    Joined { pid: Pid, log: PathBuf },
}

/// What we are to the data folder.
#[derive(Debug)]
enum Claim {
    /// `slipstream dev`.
    Owner(Lock),
    /// A short command that found no living owner.
    Visitor(Lock),
    /// A short command beside a living owner.
    Guest,
}

impl PrivatePostgres {
    /// Owns the data folder: makes what is missing, adopts a server left behind by a killed owner, starts one
    /// otherwise. `search` is where PostgreSQL's programs are looked for
    /// (see [`usual_folders`](crate::usual_folders)).
    ///
    /// # Errors
    /// [`PostgresError::DataDirInUse`] when another process owns the folder; everything that can keep a
    /// server from starting.
    pub async fn start_or_adopt(data_dir: &Path, search: &[PathBuf]) -> Result<Self, PostgresError> {
        let account = Account::current()?;
        let folder = DataFolder::prepare(data_dir, account)?;
        let mut lock = Lock::take(&folder)?;
        let previous_owner = previous_owner(&lock);
        match own(folder, account, search, &mut lock).await {
            Ok((cluster, url)) => Ok(Self {
                url,
                previous_owner,
                server: Server::Ours(Box::new(cluster)),
                claim: Claim::Owner(lock),
            }),
            Err(error) => {
                lock.restore()?;
                Err(error)
            }
        }
    }

    /// Uses the data folder for a short command: joins the server that runs for it, whoever owns it, or
    /// starts one until [`stop`](Self::stop). A joined server is never stopped; its owner may stop it
    /// meanwhile, and the command then fails as on any lost connection.
    ///
    /// # Errors
    /// Everything that can keep a server from starting; [`PostgresError::StartTimedOut`] when the owner's
    /// server does not come up within five minutes.
    pub async fn join(data_dir: &Path, search: &[PathBuf]) -> Result<Self, PostgresError> {
        let account = Account::current()?;
        let folder = DataFolder::prepare(data_dir, account)?;
        let log = folder.log();
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match Lock::take(&folder) {
                Ok(lock) => return Self::visit(folder, account, search, lock).await,
                Err(PostgresError::DataDirInUse { .. }) => {}
                Err(error) => return Err(error),
            }
            if let Some(running) = answering(&folder).await? {
                return Ok(Self {
                    url: running.url(),
                    previous_owner: PreviousOwner::None,
                    server: Server::Joined { pid: running.pid, log },
                    claim: Claim::Guest,
                });
            }
            if Instant::now() >= deadline {
                return Err(PostgresError::StartTimedOut { seconds: START_LIMIT.as_secs(), log });
            }
            sleep(POLL).await;
        }
    }

    async fn visit(
        folder: DataFolder,
        account: Account,
        search: &[PathBuf],
        mut lock: Lock,
    ) -> Result<Self, PostgresError> {
        let log = folder.log();
        let previous_owner = previous_owner(&lock);
        let found = match settled(&folder).await {
            Ok(Some(running)) => {
                // Left by a dead owner: it stays for the next one to adopt.
                lock.record(&running.socket_dir).map(|()| {
                    let url = running.url();
                    (Server::Joined { pid: running.pid, log }, url)
                })
            }
            Ok(None) => start(folder, account, search, &mut lock)
                .await
                .map(|(cluster, url)| (Server::Ours(Box::new(cluster)), url)),
            Err(error) => Err(error),
        };
        match found {
            Ok((server, url)) => Ok(Self { url, previous_owner, server, claim: Claim::Visitor(lock) }),
            Err(error) => {
                lock.restore()?;
                Err(error)
            }
        }
    }

    /// The URL of the database `slipstream`, for sqlx or libpq.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How the last owner left the folder. [`PreviousOwner::None`] also when it is alive and we are its guest.
    #[must_use]
    pub fn previous_owner(&self) -> PreviousOwner {
        self.previous_owner
    }

    /// Waits until the server has ended by itself. Cancel safe.
    pub async fn wait(&mut self) -> Death {
        match &mut self.server {
            Server::Ours(cluster) => cluster.wait().await,
            Server::Joined { pid, log } => {
                until_gone(*pid).await;
                Death { status: None, log: log.clone() }
            }
        }
    }

    /// Gives the data folder back. An owned server is shut down fast and waited for, at most 80 s; a joined
    /// one runs on.
    ///
    /// # Errors
    /// [`PostgresError::StopTimedOut`]; the lock file then tells of a death.
    pub async fn stop(self) -> Result<(), PostgresError> {
        match self.server {
            Server::Ours(mut cluster) => cluster.stop(Mode::Fast).await?,
            Server::Joined { .. } => {}
        }
        match self.claim {
            Claim::Owner(lock) => lock.release(),
            Claim::Visitor(lock) => lock.restore(),
            Claim::Guest => Ok(()),
        }
    }
}

fn previous_owner(lock: &Lock) -> PreviousOwner {
    if lock.holder_died() { PreviousOwner::Dead } else { PreviousOwner::None }
}

async fn own(
    folder: DataFolder,
    account: Account,
    search: &[PathBuf],
    lock: &mut Lock,
) -> Result<(Cluster, String), PostgresError> {
    let Some(running) = settled(&folder).await? else {
        return start(folder, account, search, lock).await;
    };
    tracing::info!(pid = running.pid.as_raw(), "adopting the PostgreSQL a dead process left running");
    lock.record(&running.socket_dir)?;
    let url = running.url();
    let mut cluster = Cluster::prepare(folder, account, search, &[]).await?;
    cluster.adopt(running.pid, running.socket_dir);
    Ok((cluster, url))
}

async fn start(
    folder: DataFolder,
    account: Account,
    search: &[PathBuf],
    lock: &mut Lock,
) -> Result<(Cluster, String), PostgresError> {
    let mut cluster = Cluster::prepare(folder, account, search, &[]).await?;
    let url = cluster.start().await?;
    if let Some(socket_dir) = cluster.socket_dir() {
        lock.record(socket_dir)?;
    }
    Ok((cluster, url))
}

/// A server that accepts connections.
struct Running {
    pid: Pid,
    socket_dir: PathBuf,
    port: u16,
}

impl Running {
    fn url(&self) -> String {
        cluster::url(&self.socket_dir, self.port)
    }
}

/// The folder's server if it accepts connections now.
async fn answering(folder: &DataFolder) -> Result<Option<Running>, PostgresError> {
    match Postmaster::find(&folder.cluster())? {
        Some(server) if server.answers().await => Ok(server.running()),
        Some(_) | None => Ok(None),
    }
}

/// The folder's server once it accepts connections, or `None` once there is none: one that starts or stops
/// is waited for.
async fn settled(folder: &DataFolder) -> Result<Option<Running>, PostgresError> {
    let begin = Instant::now();
    while let Some(server) = Postmaster::find(&folder.cluster())? {
        if server.answers().await {
            return Ok(server.running());
        }
        let patience = match server.state {
            State::Ready { .. } => ANSWER_LIMIT,
            State::Starting | State::Stopping => START_LIMIT,
        };
        if begin.elapsed() >= patience {
            return Err(PostgresError::Unreachable {
                dir: folder.root().to_owned(),
                pid: server.pid.as_raw(),
            });
        }
        sleep(POLL).await;
    }
    Ok(None)
}

impl Postmaster {
    fn running(self) -> Option<Running> {
        match self.state {
            State::Ready { socket_dir, port } => Some(Running { pid: self.pid, socket_dir, port }),
            State::Starting | State::Stopping => None,
        }
    }
}
