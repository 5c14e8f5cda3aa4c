//! `slipstream replay`: the whole story of a conversation, from the log alone.

mod pace;
mod story;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use slipstream_commands::{Commands, record_audit_read};
use slipstream_domain::ConversationId;
use slipstream_eventlog::Recorded;
use slipstream_projections::{AsOf, EventJson, Replay};
use uuid::Uuid;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit;
use pace::{Pace, Speed};
use story::Story;

/// Which conversation, and how to tell it.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ReplayOptions {
    /// The conversation's id.
    conversation: Uuid,
    /// Tell exactly what the log held then: a position, or a time in RFC 3339 such as 2026-11-24T09:00:00Z.
    #[arg(long, value_name = "POSITION|TIME", allow_negative_numbers = true)]
    as_of: Option<AsOf>,
    /// Tell it as fast as it happened (1x), so many times faster (4x), or at once (max).
    #[arg(long, default_value = "max")]
    speed: Speed,
    /// How to tell it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Tell the whole story of a conversation, as an auditor reads it.

Who said what and when, which model was asked with which parameters, what was streamed when, what was stopped, taken over,
edited, deleted and attached, and how each reply ended, out of the log and nothing else. What this version cannot read is told
as such, never left out. Times are UTC, when the log recorded it, cut to milliseconds: to cut the story at an event, use its
position (the number after #). With --speed, a silence of more than five seconds is told as one of five.

That it was read is an event of the log, too (AuditRead), recorded before anything is told.";

const EXAMPLES: &str = "\
Examples:
  slipstream replay 01990000-0000-7000-8000-000000000000
  slipstream replay 0199… --as-of 2026-11-24T09:00:00Z
  slipstream replay 0199… --speed 1x
  slipstream replay 0199… --as-of 1042 --format ndjson | jq .type";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for each event.
    Ndjson,
    /// One JSON array of all events.
    Json,
}

/// # Errors
/// There is no such conversation, or not yet at that moment; the moment has not come; the database does not answer.
pub(crate) async fn run(config: &Config, options: &ReplayOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let told = visit::write(config, &place, async |_, commands| replay(&commands, options).await).await?;
    Ok(if told.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn replay(commands: &Commands, options: &ReplayOptions) -> anyhow::Result<()> {
    let log = commands.log();
    let up_to = match options.as_of {
        Some(as_of) => as_of.position(log).await.context("--as-of")?,
        None => log.head().await?.position,
    };
    let conversation = ConversationId::from_uuid(options.conversation);
    let mut replay = Replay::open(log, conversation, up_to).await?;
    record_audit_read(commands, None, conversation, up_to).await.context("the read cannot be recorded")?;
    let mut teller =
        Teller { output: Output::open(), format: options.format, story: Story::default(), told: 0 };
    let mut pace = Pace::new(options.speed);
    loop {
        let events = replay.next_page().await?;
        if events.is_empty() {
            return Ok(teller.end()?);
        }
        for event in &events {
            if let Some(pause) = pace.before(event.recorded_at) {
                teller.output.flush()?;
                tokio::time::sleep(pause).await;
            }
            teller.story.learn(log, event, up_to).await?;
            teller.tell(event)?;
        }
        teller.output.flush()?;
    }
}

struct Teller {
    output: Output,
    format: Format,
    story: Story,
    told: usize,
}

impl Teller {
    fn tell(&mut self, event: &Recorded) -> std::io::Result<()> {
        match self.format {
            Format::Text => self.story.tell(&mut self.output, event)?,
            Format::Ndjson => self.output.json_line(&EventJson::whole(event))?,
            Format::Json => {
                self.output.line(if self.told == 0 { "[" } else { "," })?;
                self.output.json(&EventJson::whole(event))?;
            }
        }
        self.told += 1;
        Ok(())
    }

    fn end(mut self) -> std::io::Result<()> {
        if self.format == Format::Json {
            self.output.line("]")?;
        }
        self.output.flush()
    }
}
