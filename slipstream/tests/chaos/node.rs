//! One `slipstream serve` process: started, killed, stopped and frozen. Its words go into a file.

use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use slipstream_testkit::http_get;
use slipstream_testkit::servers::free_port;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// A start on a machine that is busy with everything else.
const START: Duration = Duration::from_mins(1);
/// Longer than whatever a process may let go on when it is told to stop.
const STOP: Duration = Duration::from_mins(1);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Gateway,
    Worker,
    Projector,
}

/// The settings that all processes share, as variables.
pub(crate) type Settings = Vec<(&'static str, String)>;

pub(crate) struct Node {
    pub(crate) role: Role,
    pub(crate) address: SocketAddr,
    name: String,
    settings: Settings,
    log: PathBuf,
    process: Option<Child>,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Projector => "projector",
        })
    }
}

impl Node {
    /// The `number`th of its role, not started yet.
    pub(crate) fn new(role: Role, number: usize, settings: &Settings, logs: &Path) -> Self {
        let name = format!("{role}-{number}");
        let log = logs.join(&name).with_extension("log");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        Self { role, address, name, settings: settings.clone(), log, process: None }
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let (role, address) = (self.role.to_string(), self.address.to_string());
        let mut command = slipstream(&["serve", "--roles", &role, "--listen", &address], &self.settings);
        command.stdout(log.try_clone()?).stderr(log);
        self.process = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            self.check_alive()?;
            let asked = timeout(Duration::from_secs(5), http_get(self.address, "/readyz")).await;
            if let Ok(Ok((200, _))) = asked {
                return Ok(());
            }
            if begin.elapsed() > START {
                bail!("{} is not ready: {asked:?}", self.name);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// # Errors
    /// It has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(process) = &mut self.process
            && let Some(status) = process.try_wait()?
        {
            bail!("{} has ended by itself ({status})", self.name);
        }
        Ok(())
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => Ok(process.kill().await?),
            None => Ok(()),
        }
    }

    /// What a supervisor does first: it may let go on what is under way.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let ended = timeout(STOP, process.wait()).await;
        let status = ended.with_context(|| format!("{} does not stop", self.name))??;
        if !status.success() {
            bail!("{} did not stop cleanly ({status})", self.name);
        }
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.process.as_ref().and_then(Child::id).context("it does not run")?;
        Ok(kill(Pid::from_raw(pid.try_into()?), signal)?)
    }
}

/// The program, in an environment that holds nothing but what it needs. Killed with its owner.
pub(crate) fn slipstream(arguments: &[&str], settings: &Settings) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipstream"));
    command.args(arguments).env_clear().kill_on_drop(true).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command
}
