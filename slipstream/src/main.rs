//! The `slipstream` binary: reads the command line and the settings, starts what they ask for, prints what went wrong.
//!
//! Exit codes: 0 all went well, 1 it failed, 2 the command line or a setting is wrong. Who closes the pipe that an answer
//! goes to has seen enough: that is 0.

mod catalogue;
mod cli;
mod config;
mod database;
mod files;
mod key_check;
mod lifecycle;
mod output;
mod owner_lock;
mod ports;
mod readiness;
mod reload;
mod role;
mod secrets;
mod sign_in;
mod signatures;
mod subcommands;
mod surroundings;
mod telemetry;
mod usage;
mod visit;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use surroundings::Source;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.run_alone().map_or_else(|| run(cli), Ok) {
        Ok(code) => code,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slipstream: {error:#}");
            usage::exit_code(&error)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new()?;
    let config = runtime.block_on(Source::of(&cli).read())?;
    let filter = cli.log.as_ref().unwrap_or(&config.log.filter);
    let telemetry = telemetry::start(filter, config.log.format, &config.telemetry)?;
    let ended = runtime.block_on(cli.command.run(config));
    telemetry.stop();
    ended
}
