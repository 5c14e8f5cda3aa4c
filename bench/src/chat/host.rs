//! What a load runs against: the server, its PostgreSQL and the provider, each a process, and what each has used.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::cli::ChatOptions;
use crate::processes::{self, Usage};
use crate::role::Role;
use crate::server::scratch_folder;

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// Unknown for a server that we did not start and whose process was not named.
    pid: Option<i32>,
    provider: Role,
    pub(crate) provider_address: SocketAddr,
    ours: Option<(Role, TempDir)>,
}

/// By process.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Usages {
    pub(crate) server: Usage,
    pub(crate) postgres: Usage,
    pub(crate) provider: Usage,
    pub(crate) bench: Usage,
}

impl Usages {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.since(before.server),
            postgres: self.postgres.since(before.postgres),
            provider: self.provider.since(before.provider),
            bench: self.bench.since(before.bench),
        }
    }
}

impl Host {
    pub(crate) async fn start(options: &ChatOptions) -> Result<Self> {
        let listen = options.provider_listen.map_or_else(|| "127.0.0.1:0".to_owned(), |at| at.to_string());
        let mut provider = Role::start(&["provider".to_owned(), "--listen".to_owned(), listen])?;
        let provider_address: SocketAddr = provider.line().await?.parse()?;
        if let Some(address) = options.server {
            return Ok(Self { address, pid: options.pid, provider, provider_address, ours: None });
        }
        let folder = scratch_folder(options.scratch.as_deref())?;
        let mut command = Command::new(program(options)?);
        command.args(["dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
        // Nothing of our surroundings may change what is measured.
        command.env_clear().env("RUST_LOG", "warn").env("OPENAI_API_KEY", "sk-bench");
        command.env("OPENAI_BASE_URL", format!("http://{provider_address}"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let mut server = Role::spawn(command)?;
        let address = loop {
            if let Some((_, address)) = server.line().await?.split_once("listening on http://") {
                break address.trim().parse()?;
            }
        };
        let pid = Some(server.pid()?);
        Ok(Self { address, pid, provider, provider_address, ours: Some((server, folder)) })
    }

    pub(crate) fn usages(&self) -> Result<Usages> {
        Ok(Usages {
            server: self.pid.map_or_else(Usage::default, processes::of),
            postgres: self.pid.map_or_else(Usage::default, processes::descendants),
            provider: processes::of(self.provider.pid()?),
            bench: processes::own(),
        })
    }

    /// Waits until the server's read models have everything.
    pub(crate) async fn caught_up(&self) -> Result<()> {
        loop {
            // The gauges are set once a second.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let metrics = self.get("/metrics").await?;
            let mut lags =
                metrics.lines().filter(|line| line.starts_with("slipstream_projection_lag_events{"));
            if lags.all(|line| line.ends_with(" 0")) {
                return Ok(());
            }
        }
    }

    async fn get(&self, path: &str) -> Result<String> {
        let mut connection = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        if let Some((mut server, _folder)) = self.ours {
            kill(Pid::from_raw(server.pid()?), Signal::SIGINT)?;
            server.ended().await?;
        }
        Ok(())
    }
}

/// The program to measure.
fn program(options: &ChatOptions) -> Result<PathBuf> {
    let beside = || Ok(std::env::current_exe()?.parent().context("no folder")?.join("slipstream"));
    let program = options.slipstream.clone().map_or_else(beside, anyhow::Ok)?;
    if !program.is_file() {
        bail!(
            "{} is missing: build it (cargo build --release -p slipstream) or name it with --slipstream",
            program.display()
        );
    }
    Ok(program)
}
