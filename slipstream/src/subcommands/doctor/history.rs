//! What can be checked of the schema, the log and the read models.

use slipstream_eventlog::{EventLog, Schema};

use super::Finding;
use crate::subcommands::projections_status::{Projection, RETIRED, status};
use crate::visit::Visit;

/// Batches at the end of the log that are verified: some hundred milliseconds of work.
const NEWEST: u32 = 1_000;
/// Events a read model may be behind: what `/readyz` allows too.
const LAG: i64 = crate::readiness::LAG_LIMIT;

/// # Errors
/// The database does not answer.
pub(super) async fn all(visit: &Visit) -> anyhow::Result<Vec<Finding>> {
    let schema = slipstream_eventlog::schema(&visit.pool).await?;
    let mut findings = vec![self::schema(&schema)];
    if schema.missing() == 0 {
        let log = visit.log();
        findings.push(newest(&log).await?);
        let status = status(&log).await?;
        if status.projections.is_empty() {
            findings.push(Finding::warn(
                "read models",
                "none has ever run",
                "start `slipstream dev` or `serve`",
            ));
        }
        findings.extend(status.projections.iter().map(read_model));
    }
    Ok(findings)
}

fn schema(schema: &Schema) -> Finding {
    match (schema.missing(), schema.newer) {
        (0, 0) => Finding::ok("schema", format!("up to date, {} migrations", schema.known)),
        (0, newer) => {
            let found = format!("{newer} migrations of a newer version");
            Finding::warn("schema", found, "run that version here, too")
        }
        (missing, _) => {
            Finding::fail("schema", format!("{missing} migrations are missing"), "run `slipstream migrate`")
        }
    }
}

async fn newest(log: &EventLog) -> anyhow::Result<Finding> {
    let report = log.verify_newest(NEWEST).await?;
    let found =
        format!("ends at position {}; its newest {} batches are", report.head.position, report.batches);
    Ok(match report.faults.first() {
        None => Finding::ok("log", format!("{found} as they were written")),
        Some(fault) => {
            let advice = "run `slipstream log verify` for all that is wrong, and keep the database as it is";
            Finding::fail("log", format!("{found} not as they were written: {fault}"), advice)
        }
    })
}

fn read_model(projection: &Projection) -> Finding {
    const CHECK: &str = "read model";
    let Projection { name, version, state, lag, owner, parked, .. } = projection;
    if *state == RETIRED {
        let found = format!("{name} v{version} is read no longer");
        return Finding::warn(CHECK, found, "remove it with `slipstream projections drop-old`");
    }
    if !parked.is_empty() {
        let found = format!("{name} has parked {}", parked.len());
        let advice =
            format!("see `slipstream projections status`, then `slipstream projections retry {name}`");
        return Finding::warn(CHECK, found, advice);
    }
    let found = format!("{name} is {lag} events behind");
    match owner {
        Some(_) if *lag > LAG => {
            Finding::warn(CHECK, found, "look whether it gets on: `slipstream projections status`")
        }
        None if *lag > 0 => {
            Finding::warn(CHECK, format!("{found}, and nobody runs it"), "start `slipstream dev` or `serve`")
        }
        Some(_) | None => Finding::ok(CHECK, found),
    }
}
