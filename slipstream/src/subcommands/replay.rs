//! `slipstream replay`: the whole story of a conversation, from the log alone.

mod story;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, ValueEnum};
use slipstream_domain::Category;
use slipstream_eventlog::{CorrelationId, EventLog, Position, Recorded};
use uuid::Uuid;

use crate::as_of::AsOf;
use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::envelope::Envelope;
use crate::output::Output;
use crate::visit;
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
    /// How to tell it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Tell the whole story of a conversation, as an auditor reads it.

Who said what and when, which model was asked with which parameters, what was streamed when, what was stopped, taken over
and how each reply ended, out of the log and nothing else. What this version cannot read is told as such, never left out.
Times are UTC, when the log recorded it, cut to milliseconds: to cut the story at an event, use its position (the number
after #).";

const EXAMPLES: &str = "\
Examples:
  slipstream replay 01990000-0000-7000-8000-000000000000
  slipstream replay 0199… --as-of 2026-11-24T09:00:00Z
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

/// Events read at a time: each may be a megabyte.
const PAGE: usize = 64;

/// # Errors
/// There is no such conversation, or not yet at that moment; the moment has not come; the database does not answer.
pub(crate) async fn run(config: &Config, options: &ReplayOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let told = visit::read(config, &place, async |log| replay(log, options).await).await?;
    Ok(if told.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn replay(log: &EventLog, options: &ReplayOptions) -> anyhow::Result<()> {
    let up_to = match options.as_of {
        Some(as_of) => as_of.position(log).await?,
        None => log.head().await?.position,
    };
    let conversation = CorrelationId::from_uuid(options.conversation);
    let mut page = log.read_correlation_page(conversation, Position::START, up_to, PAGE).await?;
    check_first(log, conversation, page.first(), up_to).await?;
    let mut teller =
        Teller { output: Output::open(), format: options.format, story: Story::default(), told: 0 };
    while let Some(last) = page.last() {
        let after = last.position;
        for event in &page {
            teller.tell(event)?;
        }
        teller.output.flush()?;
        page = log.read_correlation_page(conversation, after, up_to, PAGE).await?;
    }
    Ok(teller.end()?)
}

async fn check_first(
    log: &EventLog,
    id: CorrelationId,
    first: Option<&Recorded>,
    up_to: Position,
) -> anyhow::Result<()> {
    if let Some(first) = first {
        if first.category.0 != Category::Conversation.number() {
            bail!("{id} is no conversation");
        }
        return Ok(());
    }
    let head = log.head().await?.position;
    match log.read_correlation_page(id, Position::START, head, 1).await?.first() {
        Some(first) => bail!("conversation {id} began at position {}, after {up_to}", first.position),
        None => bail!("there is no conversation {id}"),
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
            Format::Ndjson => self.output.json_line(&Envelope::whole(event))?,
            Format::Json => {
                self.output.line(if self.told == 0 { "[" } else { "," })?;
                self.output.json(&Envelope::whole(event))?;
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
