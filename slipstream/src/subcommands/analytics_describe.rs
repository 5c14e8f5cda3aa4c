//! `slipstream analytics describe`: what analysts can read, in the database's own words.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use slipstream_projections::analytics::{self, View};
use sqlx::PgPool;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::usage::Usage;
use crate::visit;

/// What to describe, and how.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DescribeOptions {
    /// One view; all of them when there is none.
    view: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Describe the views of schema `analytics`: what a row is, and what its columns hold.

They show what happened, when, by which model, at what cost, and nothing that was said. The role `slipstream_analyst` may read
them and nothing else; let somebody in with: CREATE ROLE ana LOGIN PASSWORD '…' IN ROLE slipstream_analyst";

const EXAMPLES: &str = "\
Examples:
  slipstream analytics describe generations
  slipstream analytics describe --json | jq -r '.[].name'";

/// # Errors
/// No such view; the database does not answer.
pub(crate) async fn run(config: &Config, options: &DescribeOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let views = visit::read(config, &place, async |log| match &options.view {
        Some(name) => Ok(vec![find(log.pool(), name).await?]),
        None => Ok(analytics::views(log.pool()).await?),
    });
    let Some(views) = views.await? else { return Ok(ExitCode::FAILURE) };
    let mut output = Output::open();
    if options.json {
        output.json(&views.iter().map(as_json).collect::<Vec<_>>())?;
    } else {
        print(&mut output, &views)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The view of this name.
///
/// # Errors
/// There is none; the database does not answer.
pub(crate) async fn find(pool: &PgPool, name: &str) -> anyhow::Result<View> {
    let views = analytics::views(pool).await?;
    let names: Vec<_> = views.iter().map(|view| view.name.clone()).collect();
    let found = views.into_iter().find(|view| view.name == name);
    let unknown = || Usage(format!("there is no view {name}; there are {}", names.join(", ")));
    Ok(found.ok_or_else(unknown)?)
}

fn print(output: &mut Output, views: &[View]) -> std::io::Result<()> {
    for (at, view) in views.iter().enumerate() {
        if at > 0 {
            output.line("")?;
        }
        output.line(format_args!("analytics.{}: {}", view.name, view.about))?;
        for column in &view.columns {
            let about = column.about.as_deref().unwrap_or_default();
            let line = format!("  {:<22} {:<26} {about}", column.name, column.kind.as_str());
            output.line(line.trim_end())?;
        }
    }
    Ok(())
}

fn as_json(view: &View) -> Value {
    let columns = view
        .columns
        .iter()
        .map(|column| json!({ "name": column.name, "type": column.kind.as_str(), "about": column.about }));
    json!({ "name": view.name, "about": view.about, "columns": columns.collect::<Vec<_>>() })
}
