//! This program in its other roles: as a child that says where it is, waits for its cue, and answers on stdout.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// For whatever a child has to prepare.
const PATIENCE: Duration = Duration::from_mins(2);

/// A child in one of the hidden roles; killed when dropped.
pub(crate) struct Role {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Role {
    /// Starts this program again with `arguments`.
    pub(crate) fn start(arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::spawn(command)
    }

    /// Starts any program.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {:?}", command.as_std()))?;
        let stdin = child.stdin.take().context("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        Ok(Self { child, stdin, stdout })
    }

    /// The next line it says.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.context("a child says nothing")??;
        line.context("a child ended early; what it said is above")
    }

    pub(crate) async fn cue(&mut self) -> Result<()> {
        Ok(self.stdin.write_all(b"go\n").await?)
    }

    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("it has ended")?)?)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        timeout(PATIENCE, self.child.wait()).await.context("a child does not end")??;
        Ok(())
    }
}

/// As a child: says a line.
#[allow(clippy::print_stdout, reason = "a program for a terminal")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// As a child: waits for the cue.
pub(crate) async fn await_cue() -> Result<()> {
    let mut line = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
    Ok(())
}
