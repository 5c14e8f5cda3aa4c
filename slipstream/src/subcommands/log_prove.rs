//! `slipstream log prove`: a file that shows, without this system, that a message was recorded.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use slipstream_domain::MessageId;
use slipstream_eventlog::{EventLog, Position, Signature};
use slipstream_projections::message_events;
use uuid::Uuid;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::{signatures, visit};

/// What to prove.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ProveOptions {
    /// The message's id: a user's, or a reply's.
    message: Uuid,
    /// Where signatures are, a file or a folder. Otherwise where the settings say.
    #[arg(long, value_name = "PATH")]
    signatures: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Prove that a message was recorded and has not changed since: prints a JSON file that anybody can check.

The proof has the events of the message (of a reply: all that its model streamed, and its end), the way of each to the root
of its batch, and every link of the chain from there to the next signature. It holds no text: of what people and models said
only the hash of its encrypted form. So it can be given away, and holds when the text is erased.";

const EXAMPLES: &str = "\
Examples:
  slipstream log prove 0199… > proof.json
  slipstream log check-proof proof.json --public-key d75a98…";

/// # Errors
/// There is no such message; it is not signed yet; the log is damaged; the database does not answer.
pub(crate) async fn run(config: &Config, options: &ProveOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    place.must_exist()?;
    let proof = visit::visit(config, &place, async |visit| {
        visit::must_be_migrated(&visit.pool).await?;
        let log = visit.log();
        let positions = message_events(&log, MessageId::from_uuid(options.message)).await?;
        let Some(last) = positions.last() else { bail!("there is no message {}", options.message) };
        let kept = signatures::kept(config, options.signatures.clone(), visit.tasks()).await?;
        let signature = next_after(&log, kept, *last).await?;
        log.prove(options.message, &positions, signature).await.context("the message cannot be proved")
    });
    let Some(proof) = proof.await? else { return Ok(ExitCode::FAILURE) };
    let mut output = Output::open();
    output.json(&proof)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The first signature over the event at `position`.
async fn next_after(log: &EventLog, kept: Vec<Signature>, position: Position) -> anyhow::Result<Signature> {
    let batch =
        log.batch_of(position).await?.context("the log has no batch for it; run `slipstream log verify`")?;
    let next = kept.into_iter().find(|signature| signature.batch_no >= batch);
    next.with_context(|| {
        format!("nothing is signed yet from batch {batch} on, which has the message's end; see `slipstream log sign`")
    })
}
