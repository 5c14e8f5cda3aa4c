//! `slipstream` as a child process with a data folder of its own.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A folder that PostgreSQL's user can enter, also when the test runs as root.
pub(crate) struct DataFolder(TempDir);

impl DataFolder {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

/// A program that is no crate's, where `ops/test` has put it.
#[allow(clippy::disallowed_methods, reason = "ops/test says where it is")]
pub(crate) fn tool(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: use ./ops/test"))
}

/// The binary with these arguments, in an environment that holds nothing but what it needs.
pub(crate) fn slipstream(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipstream"));
    command.args(arguments).env_clear().kill_on_drop(true);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a short command on a data folder to its end.
pub(crate) async fn run_on(folder: &DataFolder, arguments: &[&str]) -> Output {
    let path = folder.path();
    let arguments = [arguments, &["--data-dir", path.to_str().unwrap()]].concat();
    tokio::time::timeout(START_LIMIT, slipstream(&arguments).output()).await.expect("it never ended").unwrap()
}

/// A running `slipstream dev`.
pub(crate) struct Dev {
    pub(crate) address: SocketAddr,
    child: Child,
    _stdout: Lines<BufReader<ChildStdout>>,
}

/// One request to any server.
pub(crate) async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &serde_json::Value,
) -> (u16, Vec<u8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let typed = headers.iter().any(|(name, _)| *name == "content-type");
    let json = if typed { &[][..] } else { &[("content-type", "application/json")] };
    let headers: Vec<_> =
        headers.iter().chain(json).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).await.unwrap();
    let split = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&response[..split]).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), response[split + 4..].to_vec())
}

impl Dev {
    pub(crate) async fn start(folder: &DataFolder) -> Self {
        Self::start_with(folder, &[]).await
    }

    pub(crate) async fn start_with(folder: &DataFolder, environment: &[(&str, &str)]) -> Self {
        let path = folder.path();
        let mut command =
            slipstream(&["dev", "--listen", "127.0.0.1:0", "--data-dir", path.to_str().unwrap()]);
        command.envs(environment.iter().copied());
        Self::spawn(command).await
    }

    pub(crate) async fn spawn(mut command: Command) -> Self {
        command.stderr(Stdio::inherit());
        Self::spawn_logging(command).await
    }

    /// The same with standard error as the command has it.
    pub(crate) async fn spawn_logging(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let address =
            tokio::time::timeout(START_LIMIT, listening(&mut stdout)).await.expect("it never listened");
        Self { address, child, _stdout: stdout }
    }

    /// The process' number.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().unwrap().try_into().unwrap()
    }

    /// `kill -9`: nothing of it lives on but what it left on disk, and PostgreSQL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// What Ctrl-C does.
    pub(crate) async fn interrupt(self) -> ExitStatus {
        let pid = Pid::from_raw(self.pid());
        kill(pid, Signal::SIGINT).unwrap();
        self.ended().await
    }

    /// How it ends by itself.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.expect("it never stopped").unwrap()
    }

    /// The body of a `GET`, with the status line's code.
    pub(crate) async fn get(&self, path: &str) -> (u16, serde_json::Value) {
        self.request("GET", path, &[], &serde_json::Value::Null).await
    }

    /// The same, whatever bytes it is.
    pub(crate) async fn get_bytes(&self, path: &str) -> (u16, Vec<u8>) {
        exchange(self.address, "GET", path, &[], &serde_json::Value::Null).await
    }

    /// The answer to a request, with the status line's code; a body that is null is none.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> (u16, serde_json::Value) {
        let (status, body) = exchange(self.address, method, path, headers, body).await;
        let body = String::from_utf8(body).unwrap();
        (status, serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body)))
    }
}

/// The address in the line `listening on http://ADDRESS`.
async fn listening(stdout: &mut Lines<BufReader<ChildStdout>>) -> SocketAddr {
    while let Some(line) = stdout.next_line().await.unwrap() {
        if let Some((_, address)) = line.split_once("listening on http://") {
            return address.trim().parse().unwrap();
        }
    }
    panic!("it ended before it listened");
}
