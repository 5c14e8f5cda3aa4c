//! `slipstream dev`: `serve` with all roles, ready to be tried out.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use super::serve::{self, Service};
use crate::config::Config;
use crate::database::DatabaseOptions;
use crate::role::Role;

/// How to run.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DevOptions {
    /// The address to listen on. Otherwise the setting `server.listen`, which is 127.0.0.1:4000 by default.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Run everything in this one process, ready to be tried out.

Needs nothing but PostgreSQL's programs on the machine: a private server runs in the data folder. Clients connect to
ws://ADDRESS/?email=you@example.com, which signs in from this machine only. A provider without a key is answered by the
simulated one. One process owns a data folder or a database at a time; settings of NATS and Redis are not used.";

const EXAMPLES: &str = "\
Examples:
  slipstream dev
  slipstream dev --listen 127.0.0.1:4001 --data-dir /var/tmp/try
  OPENAI_API_KEY=sk-… slipstream dev";

/// Runs until it is told to stop.
///
/// # Errors
/// See [`serve::start`].
pub(crate) async fn run(config: Config, options: DevOptions) -> anyhow::Result<ExitCode> {
    let service = Service {
        listen: options.listen.unwrap_or(config.listen),
        roles: Role::ALL.into(),
        development_email: true,
        database: options.database,
    };
    serve::start(config.alone(), service).await
}
