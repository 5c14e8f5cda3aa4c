//! `slipstream projections status`: how far the read models are, and what they have set aside.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use slipstream_eventlog::{EventLog, ProjectorState, ProjectorStatus, parked};
use slipstream_projections::rfc3339;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;

/// How to answer.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct StatusOptions {
    /// Answer as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

const EXAMPLES: &str = "\
A read model that cannot apply an event sets its conversation aside (parks it) and goes on with all others. What it
parked it keeps out of the read model until `slipstream projections retry NAME` succeeds.

Examples:
  slipstream projections status
  slipstream projections status --json | jq '.projections[] | {name, lag}'";

/// The word for what was read once and is no longer.
pub(crate) const RETIRED: &str = "retired";

/// All read models.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    /// The log's newest position.
    pub(crate) head: i64,
    pub(crate) projections: Vec<Projection>,
}

/// One version of a read model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Projection {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) state: &'static str,
    position: i64,
    /// Events of the log it has not passed.
    pub(crate) lag: i64,
    /// The process that runs it; none when nobody does.
    pub(crate) owner: Option<String>,
    lease_until: String,
    pub(crate) parked: Vec<Parked>,
}

/// A correlation that a read model has set aside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parked {
    correlation: Uuid,
    position: i64,
    since: String,
    error: String,
    retry_requested: bool,
}

/// # Errors
/// The database does not answer.
pub(crate) async fn run(config: &Config, options: &StatusOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let Some(status) = visit::read(config, &place, async |log| status(log).await).await? else {
        return Ok(ExitCode::FAILURE);
    };
    let mut output = Output::open();
    if options.json {
        output.json(&status)?;
    } else {
        print(&mut output, &status)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// # Errors
/// The database does not answer.
pub(crate) async fn status(log: &EventLog) -> anyhow::Result<Status> {
    // The clock that leases end by.
    let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(log.pool()).await?;
    let projectors = log.projectors().await?;
    // Read after the checkpoints, so that none is ahead of it.
    let head = log.head().await?.position.get();
    let mut projections = Vec::with_capacity(projectors.len());
    for projector in projectors {
        let parked = parked::list(log.pool(), &projector.projector).await?;
        projections.push(projection(projector, parked, head, now));
    }
    Ok(Status { head, projections })
}

fn projection(
    status: ProjectorStatus,
    parked: Vec<parked::Parked>,
    head: i64,
    now: OffsetDateTime,
) -> Projection {
    let parked = parked.into_iter().map(|parked| Parked {
        correlation: parked.correlation.as_uuid(),
        position: parked.first_position.get(),
        since: rfc3339(parked.at),
        error: parked.error,
        retry_requested: parked.retry_requested,
    });
    Projection {
        name: status.projector.name.to_string(),
        version: status.projector.version,
        state: match status.state {
            ProjectorState::Building => "building",
            ProjectorState::Active => "active",
            ProjectorState::Retired => RETIRED,
        },
        position: status.position.get(),
        lag: head - status.position.get(),
        owner: status.owner.filter(|_| status.lease_until >= now),
        lease_until: rfc3339(status.lease_until),
        parked: parked.collect(),
    }
}

fn print(output: &mut Output, status: &Status) -> std::io::Result<()> {
    output.line(format_args!("the log ends at position {}", status.head))?;
    for projection in &status.projections {
        let Projection { name, version, state, position, lag, owner, lease_until, parked } = projection;
        let run_by = match owner {
            Some(owner) => format!("run by {owner} until {lease_until}"),
            None => "run by nobody".to_owned(),
        };
        output.line(format_args!(
            "{name} v{version}: {state}, at position {position}, {lag} behind, {run_by}, {} parked",
            parked.len()
        ))?;
        for parked in parked {
            let retry = if parked.retry_requested { " (to be tried again)" } else { "" };
            let Parked { correlation, position, since, error, .. } = parked;
            output.line(format_args!(
                "  parked {correlation} at position {position} since {since}{retry}: {error}"
            ))?;
        }
    }
    Ok(())
}
