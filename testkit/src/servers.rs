//! A Redis and a NATS for tests: the ones all tests share, by `SLIPSTREAM_TEST_REDIS_URL` and `SLIPSTREAM_TEST_NATS_URL`,
//! and private ones for tests that kill them. Their programs are named by `SLIPSTREAM_TEST_REDIS_SERVER` and
//! `SLIPSTREAM_TEST_NATS_SERVER`, or found on the PATH.
#![allow(clippy::expect_used, clippy::panic)] // a test without its server has failed

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const HOW: &str = "run the tests with ./ops/test, or `eval \"$(./ops/test --services)\"` first";
/// Both answer within milliseconds of their start; a busy machine takes longer.
const START: Duration = Duration::from_secs(20);

/// The Redis that all tests share: use random ids, and flush nothing.
///
/// # Panics
/// When the environment names none.
#[must_use]
pub fn redis_url() -> String {
    variable("SLIPSTREAM_TEST_REDIS_URL")
        .unwrap_or_else(|| panic!("SLIPSTREAM_TEST_REDIS_URL is not set: {HOW}"))
}

/// The stand-in for S3 that all tests share: use a bucket of your own. It checks neither signatures nor lengths.
///
/// # Panics
/// When the environment names none.
#[must_use]
pub fn s3_url() -> String {
    variable("SLIPSTREAM_TEST_S3").unwrap_or_else(|| panic!("SLIPSTREAM_TEST_S3 is not set: {HOW}"))
}

/// The NATS, with JetStream, that all tests share: use a prefix of your own.
///
/// # Panics
/// When the environment names none.
#[must_use]
pub fn nats_url() -> String {
    variable("SLIPSTREAM_TEST_NATS_URL")
        .unwrap_or_else(|| panic!("SLIPSTREAM_TEST_NATS_URL is not set: {HOW}"))
}

/// A server process of one test's own, on a port and in a folder of its own. Killed with its last owner.
#[derive(Debug)]
pub struct TestServer {
    kind: Kind,
    arguments: Vec<String>,
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Redis,
    Nats,
}

impl TestServer {
    /// An empty Redis that writes nothing to disk, so that a restart is a flush.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn redis() -> Self {
        Self::redis_with(&[])
    }

    /// [`TestServer::redis`] with more arguments; later ones win.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn redis_with(arguments: &[&str]) -> Self {
        Self::start(Kind::Redis, arguments)
    }

    /// An empty NATS with JetStream, whose streams outlive a restart.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn nats() -> Self {
        Self::nats_with(&[])
    }

    /// [`TestServer::nats`] with more arguments.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn nats_with(arguments: &[&str]) -> Self {
        Self::start(Kind::Nats, arguments)
    }

    /// Where it listens, without a scheme.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it listens, in the clear.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Redis => "redis",
            Kind::Nats => "nats",
        };
        format!("{scheme}://{}", self.address())
    }

    /// Its data; a NATS without it has forgotten its streams.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a crash does (`kill -9`). Nothing when it is dead.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the server is ours to kill");
            process.wait().expect("a killed server ends");
        }
    }

    /// Starts it again, on the same port and data, and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    pub fn restart(&mut self) {
        self.kill();
        let mut process = self.spawn();
        let begin = Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            let ended = process.try_wait().expect("our own child");
            if ended.is_some() || begin.elapsed() > START {
                let log = std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
                panic!("the test server does not start ({ended:?}):\n{log}");
            }
            sleep(Duration::from_millis(10));
        }
        self.process = Some(process);
    }

    fn start(kind: Kind, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let folder = tempfile::tempdir().expect("a folder for the server");
        let port = free_port();
        let mut server = Self { kind, arguments, port, folder, process: None };
        server.restart();
        server
    }

    fn spawn(&self) -> Child {
        let (variable_name, program) = match self.kind {
            Kind::Redis => ("SLIPSTREAM_TEST_REDIS_SERVER", "redis-server"),
            Kind::Nats => ("SLIPSTREAM_TEST_NATS_SERVER", "nats-server"),
        };
        let program = variable(variable_name).unwrap_or_else(|| program.to_owned());
        let mut command = Command::new(&program);
        let port = self.port.to_string();
        match self.kind {
            Kind::Redis => command
                .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
                .arg(self.folder()),
            Kind::Nats => command
                .args(["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir"])
                .arg(self.folder()),
        };
        let log = File::options().create(true).append(true).open(self.folder().join("log"));
        let log = log.expect("a log for the server");
        let errors = log.try_clone().expect("a log for the server");
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} ({variable_name}): {error}; {HOW}"))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself; the folder goes either way.
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// A port of this machine that nobody listens on: below those that connections are given, lest one of them has it while its
/// server is away.
#[must_use]
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(20_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "tests have no configuration to take the server from")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
