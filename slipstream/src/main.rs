//! The `slipstream` binary: reads the command line and the settings, starts what they ask for, prints what went wrong.
//!
//! Exit codes: 0 all went well, 1 it failed, 2 the command line is wrong.

#![allow(clippy::print_stdout, reason = "what a command answers goes to standard output")]

mod catalogue;
mod cli;
mod config;
mod database;
mod dev;
mod lifecycle;
mod log_verify;
mod migrate;
mod readiness;
mod telemetry;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, LogCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("slipstream: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    telemetry::log_to_stderr(cli.log.as_deref())?;
    let config = config::Config::read(|name| std::env::var_os(name))?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match cli.command {
            Command::Dev(options) => dev::run(config, options).await,
            Command::Migrate(options) => migrate::run(&config, &options).await,
            Command::Log(LogCommand::Verify(options)) => log_verify::run(&config, &options).await,
        }
    })
}
