//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A self-hosted backend for multi-provider AI chat.
#[derive(Debug, Parser)]
#[command(name = "slipstream", version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// What to log, as a filter such as `info` or `slipstream=debug,sqlx=warn`. The environment's `RUST_LOG` otherwise.
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in this one process, with a PostgreSQL of its own.
    ///
    /// Needs nothing but PostgreSQL's programs on the machine. Clients connect to `ws://ADDRESS/?email=you@example.com`,
    /// from this machine only. A provider without a key is answered by the simulated one.
    Dev(DevOptions),
    /// Bring the database's schema up to date. Safe to run at any time, from several processes at once.
    Migrate(DatabaseOptions),
    /// Look at the event log.
    #[command(subcommand)]
    Log(LogCommand),
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every event, hash and link of the log; say what is wrong and where. Exit code 1 when anything is.
    Verify(DatabaseOptions),
}

/// Settings of `slipstream dev`.
#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4000")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct DatabaseOptions {
    /// The folder with the private PostgreSQL; made when it does not exist. The environment's `DATABASE_URL` names a
    /// server to use instead, but a folder given here goes before it.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
