//! `slipstream-bench`: measures the event log and the chat path, each beside a reference in the same rounds, and
//! says which targets are met. JSON on stdout, a table on stderr.
//!
//! It measures only: a missed target is a line of the table, not a failure. What it starts (PostgreSQL, the server,
//! the provider) it starts as processes of their own, so that each one's work can be told apart.

mod chat;
mod cli;
mod latency;
mod log;
mod processes;
mod report;
mod role;
mod server;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::{Cli, Command};
use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slipstream-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Log(options) => print(&log::run(options).await?),
        Command::Chat(options) => print(&chat::run(options).await?),
        Command::Writers(options) => log::writers::run(options).await,
        Command::Provider { listen } => chat::provider::run(listen).await,
        Command::Relay { provider } => chat::relay::run(provider).await,
    }
}

fn print(report: &Report) -> Result<()> {
    eprint!("{}", report.table());
    role::say(&serde_json::to_string_pretty(report)?);
    Ok(())
}
