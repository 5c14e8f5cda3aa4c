//! `slipstream doctor`: is everything as the service needs it, and what is to be done where it is not?

mod cluster;
mod files;
mod history;
mod machine;
mod server;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit::{self, Visit};

/// How to answer.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DoctorOptions {
    /// Answer as one JSON array.
    #[arg(long)]
    json: bool,
    /// Let pages of `gateway.allowed_origins` upload into the buckets of files: replaces the buckets' CORS rules.
    #[arg(long)]
    fix_cors: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Check everything the service needs, and say what to do where something is wrong.

PostgreSQL and its settings, the data folder and its disk, NATS and Redis where they are set, the schema, the end of the
log, the read models, the providers' settings, the buckets of files, the port, the clock. Changes nothing, but what --fix-cors
names. A line begins with ok, warn or fail; exit code 1 when one fails.";

const EXAMPLES: &str = "\
Examples:
  slipstream doctor
  slipstream doctor --fix-cors
  slipstream doctor --json | jq '.[] | select(.state != \"ok\")'";

/// What one check has found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Ok, found: found.into(), advice: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, state: State::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, state: State::Fail, found: found.into(), advice: Some(advice.into()) }
    }
}

/// # Errors
/// Nobody reads the answer, or the process cannot listen for signals. What is wrong with the service is no error but
/// exit code 1.
pub(crate) async fn run(config: &Config, options: &DoctorOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let mut findings = vec![machine::settings(config)];
    findings.extend(machine::providers(config));
    findings.extend(cluster::all(config, &place).await);
    findings.extend(files::all(config, options.fix_cors).await);
    let folder_holder = match &place {
        Place::Folder(folder) => {
            findings.push(machine::programs(config).await);
            findings.extend(machine::folder(folder));
            slipstream_postgres::holder(folder).ok().flatten()
        }
        Place::Server(_) => None,
    };
    let owned = match database(config, &place, &mut findings).await? {
        Some(server_owned) => server_owned || folder_holder.is_some(),
        None => folder_holder.is_some(),
    };
    findings.push(machine::port(config.listen, owned).await);
    let mut output = Output::open();
    if options.json {
        output.json(&findings)?;
    } else {
        print(&mut output, &findings)?;
    }
    output.flush()?;
    let failed = findings.iter().any(|finding| finding.state == State::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The checks that need a database. Answers whether a service owns it, if it answers.
async fn database(
    config: &Config,
    place: &Place,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<Option<bool>> {
    if let Err(error) = place.must_exist() {
        let advice = "run `slipstream dev`, or name another folder with --data-dir";
        findings.push(Finding::warn("postgresql", error.to_string(), advice));
        return Ok(None);
    }
    let look = async |visit: &Visit| {
        let mut found = server::all(&visit.pool, place).await?;
        found.extend(history::all(visit).await?);
        Ok((server::is_owned(&visit.pool).await?, found))
    };
    match visit::visit(config, place, look).await {
        Ok(Some((owned, found))) => {
            findings.extend(found);
            Ok(Some(owned))
        }
        Ok(None) => anyhow::bail!("stopped before everything was checked"),
        Err(error) => {
            let advice = match place {
                Place::Folder(folder) => format!("see {}", folder.join("postgres.log").display()),
                Place::Server(_) => "see that the server runs and that database.url is right".to_owned(),
            };
            findings.push(Finding::fail("postgresql", format!("{error:#}"), advice));
            Ok(None)
        }
    }
}

fn print(output: &mut Output, findings: &[Finding]) -> std::io::Result<()> {
    for Finding { check, state, found, advice } in findings {
        let state = match state {
            State::Ok => "ok  ",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        output.line(format_args!("{state}  {check}: {found}"))?;
        if let Some(advice) = advice {
            output.line(format_args!("      -> {advice}"))?;
        }
    }
    Ok(())
}
