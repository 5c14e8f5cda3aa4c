//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures Slipstream beside references in the same rounds. JSON on stdout, a table on stderr.
#[derive(Debug, Parser)]
#[command(name = "slipstream-bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The event log: appends beside pgbench, reads, verification, a rebuild, sizes.
    ///
    /// Starts a PostgreSQL of its own, with fsync on, in a scratch folder, unless one is named.
    Log(LogOptions),
    /// The chat path, over WebSocket, against a server with a paced provider behind it.
    ///
    /// Starts the `slipstream` that lies beside this program, unless a running one is named.
    Chat(ChatOptions),
    /// Appends to a log as one process: what `log` starts.
    #[command(hide = true)]
    Writers(WritersOptions),
    /// Answers as OpenAI does, at the pace the prompt asks for: what `chat` starts.
    #[command(hide = true)]
    Provider {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Hands chunks from the provider to a WebSocket and does nothing else: the floor that `chat` compares with.
    #[command(hide = true)]
    Relay {
        /// The provider.
        #[arg(long)]
        provider: SocketAddr,
    },
}

/// Settings of `log`.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// How often each case is measured; the medians count.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Seconds of each measurement of appends.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// One short round over few events, to see that everything works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the cases whose name holds this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// A server to use instead of a private one. Its user must be able to make databases; those it makes are named
    /// `slipstream_bench_…`.
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// Where the private server's folder is made: the disk that is measured [default: the system's temporary folder].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scratch: Option<PathBuf>,
}

/// Settings of `chat`.
#[derive(Debug, Args)]
pub(crate) struct ChatOptions {
    /// What to run.
    #[arg(long, value_enum, default_value_t = Suite::Targets)]
    pub(crate) suite: Suite,
    /// Small loads, to see that everything works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the cases whose name holds this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// A running server, whose `OPENAI_BASE_URL` is the address given by --provider-listen.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "provider_listen")]
    pub(crate) server: Option<SocketAddr>,
    /// The process of that server, to measure it.
    #[arg(long, requires = "server")]
    pub(crate) pid: Option<i32>,
    /// Where the paced provider listens.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) provider_listen: Option<SocketAddr>,
    /// The program to start [default: `slipstream` beside this one].
    #[arg(long, value_name = "FILE")]
    pub(crate) slipstream: Option<PathBuf>,
    /// Where the server's data folder is made [default: the system's temporary folder].
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scratch: Option<PathBuf>,
    /// Chats of `--suite load`.
    #[arg(long, default_value_t = 100)]
    pub(crate) chats: usize,
    /// Chunks of each.
    #[arg(long, default_value_t = 200)]
    pub(crate) chunks: usize,
    /// Milliseconds between chunks; 0 is full speed.
    #[arg(long, default_value_t = 20)]
    pub(crate) delay_ms: u64,
    /// Arrivals a second; all at once when it is not given.
    #[arg(long)]
    pub(crate) per_second: Option<f64>,
}

/// What `chat` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Every case of the targets.
    Targets,
    /// One load, as --chats, --chunks, --delay-ms and --per-second say.
    Load,
}

/// Settings of `writers`.
#[derive(Debug, Args)]
pub(crate) struct WritersOptions {
    /// The migrated database.
    #[arg(long)]
    pub(crate) database_url: String,
    /// Writers, each with a stream of its own.
    #[arg(long)]
    pub(crate) writers: usize,
    /// Events of one append.
    #[arg(long)]
    pub(crate) events: usize,
    /// How long.
    #[arg(long)]
    pub(crate) seconds: u32,
}
