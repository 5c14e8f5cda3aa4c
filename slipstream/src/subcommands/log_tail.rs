//! `slipstream log tail`: the newest events, and those that come.

use std::process::ExitCode;

use clap::Args;
use slipstream_eventlog::{EventLog, Position, Recorded};
use slipstream_projections::{EventJson, category, decode, rfc3339};

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;

/// Which events.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TailOptions {
    /// Begin at this position.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<i64>,
    /// Begin with the newest so many events.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10, conflicts_with = "from")]
    last: u32,
    /// Go on as events come, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// One JSON object a line: the envelope and the clear half.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Print the newest events of the log, and go on as they come.

Shows envelopes: when, where, what kind, of whom. What people and models said is personal and not shown here; `slipstream
replay` tells it, of one conversation.";

const EXAMPLES: &str = "\
Examples:
  slipstream log tail --follow
  slipstream log tail --from 1 --json | jq -r .type | sort | uniq -c";

/// Events read at a time: each may be a megabyte.
const PAGE: usize = 64;

/// # Errors
/// The database does not answer; an event is missing in the log.
pub(crate) async fn run(config: &Config, options: &TailOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    // A signal is how one stops following.
    visit::read(config, &place, async |log| tail(log, options).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn tail(log: &EventLog, options: &TailOptions) -> anyhow::Result<()> {
    let mut output = Output::open();
    let mut wakes = log.wakes();
    let head = log.head().await?.position;
    let mut after = match options.from {
        Some(from) => Position::new(from - 1),
        None => Position::new(head.get() - i64::from(options.last)),
    };
    loop {
        let page = log.feed(after, PAGE).await?;
        let Some(last) = page.last() else {
            if !options.follow {
                return Ok(());
            }
            wakes.changed().await;
            continue;
        };
        after = last.position;
        for event in page.iter().filter(|event| options.follow || event.position <= head) {
            if options.json {
                output.json_line(&EventJson::clear(event))?;
            } else {
                output.line(line(event))?;
            }
        }
        output.flush()?;
        if !options.follow && after >= head {
            return Ok(());
        }
    }
}

fn line(event: &Recorded) -> String {
    let Recorded { position, event_type, schema_version, stream, version, correlation, .. } = event;
    let (at, category) = (rfc3339(event.recorded_at), category(event));
    let fault =
        decode(event).err().map_or_else(String::new, |fault| format!("  cannot be read: {}", fault.why));
    format!(
        "{at}  #{position:<6} {event_type}/{schema_version}  {category} {stream} version {version}  of {correlation}{fault}"
    )
}
