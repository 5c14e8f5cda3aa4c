//! An installation as in production, on this machine: a PostgreSQL that keeps what it has acknowledged, a Redis, a NATS, and
//! two processes of each role. Everything lies in scratch folders and ends with it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use slipstream_postgres::{Cluster, Mode, usual_folders};
use slipstream_testkit::TestServer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::node::{Node, Role, Settings, slipstream};

/// How many processes of a role there are.
const EACH: usize = 2;
/// How long a killed process is away before its supervisor starts it again.
pub(crate) const AWAY: Duration = Duration::from_millis(1500);
/// How long the queue waits for a sign of life of a worker: twice what a busy worker lets pass between two. Production's
/// 30 s would be waited for with each lost worker.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// All processes' connections, and the test's.
const POSTGRES: [(&str, &str); 1] = [("max_connections", "300")];

pub(crate) struct Site {
    pub(crate) redis: TestServer,
    pub(crate) nats: TestServer,
    postgres: Cluster,
    folder: TempDir,
    settings: Settings,
    nodes: Vec<Node>,
    logs: PathBuf,
}

impl Site {
    /// Starts everything; what the processes say goes into `logs`.
    pub(crate) async fn start(logs: &Path) -> Result<Self> {
        std::fs::create_dir_all(logs)?;
        let folder = TempDir::new()?;
        // PostgreSQL's user must be able to enter it, also when we are root.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        let search = usual_folders(std::env::var_os("PATH").as_deref());
        let mut postgres = Cluster::open(&folder.path().join("data"), &search, &POSTGRES).await?;
        let url = postgres.start().await?;
        let (redis, nats) = block_in_place(|| (TestServer::redis(), TestServer::nats()));
        let settings = settings(url, &redis, &nats);
        let mut nodes = Vec::new();
        for role in [Role::Projector, Role::Worker, Role::Gateway] {
            for number in 1..=EACH {
                nodes.push(Node::new(role, number, &settings, logs));
            }
        }
        let mut site = Self { redis, nats, postgres, folder, settings, nodes, logs: logs.to_owned() };
        let migrated = slipstream(&["migrate"], &site.settings).stdout(Stdio::null()).status().await?;
        if !migrated.success() {
            bail!("the schema cannot be made");
        }
        site.nodes.iter_mut().try_for_each(Node::start)?;
        site.ready().await?;
        Ok(site)
    }

    /// Waits until every process is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.ready().await?;
        }
        Ok(())
    }

    pub(crate) fn gateways(&self) -> Vec<SocketAddr> {
        self.nodes.iter().filter(|node| node.role == Role::Gateway).map(|node| node.address).collect()
    }

    /// What a command of the operator's needs.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.settings[0].1
    }

    /// One of a role's processes.
    pub(crate) fn node(&mut self, role: Role, which: usize) -> Result<&mut Node> {
        let mut nodes = self.nodes.iter_mut().filter(|node| node.role == role);
        nodes.nth(which % EACH).context("there is no such process")
    }

    pub(crate) async fn kill_and_restart(&mut self, role: Role, which: usize) -> Result<()> {
        let node = self.node(role, which)?;
        node.kill().await?;
        sleep(AWAY).await;
        node.start()?;
        node.ready().await
    }

    /// Stops a process for a while as the operating system does: it knows nothing of it.
    pub(crate) async fn freeze(&mut self, role: Role, which: usize, time: Duration) -> Result<()> {
        let node = self.node(role, which)?;
        node.signal(Signal::SIGSTOP)?;
        sleep(time).await;
        node.signal(Signal::SIGCONT)
    }

    /// One process after another, each only when the one before is back.
    pub(crate) async fn restart_each(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.stop().await?;
            node.start()?;
            node.ready().await?;
        }
        Ok(())
    }

    pub(crate) async fn kill_and_restart_postgres(&mut self, away: Duration) -> Result<()> {
        self.postgres.stop(Mode::Immediate).await?;
        sleep(away).await;
        let url = self.postgres.start().await?;
        if url != self.database_url() {
            bail!("PostgreSQL has moved to {url}");
        }
        Ok(())
    }

    pub(crate) async fn flush_redis(&self) -> Result<()> {
        let mut redis = TcpStream::connect(self.redis.address()).await?;
        redis.write_all(b"FLUSHALL\r\n").await?;
        let mut answer = [0; 5];
        redis.read_exact(&mut answer).await?;
        if &answer != b"+OK\r\n" {
            bail!("Redis answers {:?}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }

    /// Ends everything. What the servers said is put beside what the processes said.
    pub(crate) async fn stop(mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.kill().await?;
        }
        self.postgres.stop(Mode::Fast).await?;
        let said = [
            (self.redis.folder().join("log"), "redis.log"),
            (self.nats.folder().join("log"), "nats.log"),
            (self.folder.path().join("data/postgres.log"), "postgres.log"),
        ];
        for (from, to) in said {
            std::fs::copy(&from, self.logs.join(to)).with_context(|| from.display().to_string())?;
        }
        Ok(())
    }
}

/// The database's URL is the first.
fn settings(database_url: String, redis: &TestServer, nats: &TestServer) -> Settings {
    vec![
        ("DATABASE_URL", database_url),
        ("EMAIL_PEPPER", "pepper".to_owned()),
        ("ENCRYPTION_KEY", master_key()),
        ("SLIPSTREAM_AUTH__DEVELOPMENT_EMAIL", "true".to_owned()),
        ("REDIS_URL", redis.url()),
        ("NATS_URL", nats.url()),
        ("SLIPSTREAM_NATS__ACK_WAIT_SECONDS", ACK_WAIT.as_secs().to_string()),
        // Longer than any reply of the load: who is told to stop lets them end.
        ("SLIPSTREAM_WORKER__GRACE_SECONDS", "20".to_owned()),
    ]
}

/// What everything personal in the log is sealed under.
pub(crate) fn master_key() -> String {
    "a1".repeat(32)
}
