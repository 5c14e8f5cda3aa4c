//! `slipstream log check-proof`: does a proof hold? Needs no database, no network and no trust but in a key.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use slipstream_eventlog::{Checked, Proof, PublicKey};
use slipstream_projections::rfc3339;
use time::{Duration, OffsetDateTime};

use crate::config::Config;
use crate::database::DatabaseOptions;
use crate::output::Output;
use crate::signatures;

/// Which proof.
#[derive(Debug, Args)]
pub(crate) struct CheckProofOptions {
    /// The file that `slipstream log prove` has made.
    file: PathBuf,
    /// The key that the log is signed with, as its owner tells it. Otherwise that of the setting `audit.signing_key`.
    #[arg(long, value_name = "KEY")]
    public_key: Option<PublicKey>,
    /// Answer as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Check a proof that `slipstream log prove` has made. Exit code 1 when it does not hold.

Needs no database. What holds is: who has the key signed a log in which each of these events, with this type, these data and
this encrypted text, stands at its position. Which text that is, the proof does not tell.";

/// # Errors
/// The file cannot be read; no key is named; the proof does not hold.
pub(crate) fn run(config: &Config, options: &CheckProofOptions) -> anyhow::Result<ExitCode> {
    let key = signatures::trusted(config, options.public_key)?;
    let cannot = || options.file.display().to_string();
    let text = std::fs::read_to_string(&options.file).with_context(cannot)?;
    let proof = Proof::parse(&text).with_context(cannot)?;
    let checked = proof.check(&key).context("the proof does not hold")?;
    let mut output = Output::open();
    if options.json {
        output.json(&json!({
            "holds": true,
            "events": proof.events.len(),
            "signedBatch": checked.batch_no,
            "signedAt": time(proof.signature.signed_at_us),
        }))?;
    } else {
        print(&mut output, &proof, &checked)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print(output: &mut Output, proof: &Proof, checked: &Checked) -> std::io::Result<()> {
    for (event, at) in proof.events.iter().zip(&checked.recorded_at_us) {
        output.line(format_args!(
            "{}  #{:<6} {}  {}",
            time(*at),
            event.position,
            event.event_type,
            event.data
        ))?;
    }
    output.line(format_args!(
        "the proof holds: {} events, in the log that was signed at {} with {}",
        proof.events.len(),
        time(proof.signature.signed_at_us),
        proof.signature.public_key
    ))
}

fn time(us: i64) -> String {
    rfc3339(OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::microseconds(us)))
}
