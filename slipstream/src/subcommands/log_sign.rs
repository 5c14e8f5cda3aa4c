//! `slipstream log sign`: a signature over the log as it is now.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use slipstream_commands::LogSigner;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::signatures;
use crate::usage::Usage;
use crate::visit;

/// How to answer.
#[derive(Debug, Args)]
pub(crate) struct SignOptions {
    /// Answer as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Sign the log as it is now, and keep the signature outside the database.

The key is the setting `audit.signing_key`; where signatures go say `audit.signatures_folder` and `audit.signatures_bucket`.
A service that has the key signs by itself, at least once a minute in which something was recorded; this is for the moment
between. Prints the public key, which those need who check signatures and proofs: tell it to them by another way.";

/// # Errors
/// There is no key; the signature cannot be kept; the database does not answer.
pub(crate) async fn run(config: &Config, options: &SignOptions) -> anyhow::Result<ExitCode> {
    let key = signatures::signing_key(config)?;
    let key = key.ok_or_else(|| Usage("there is nothing to sign with: set audit.signing_key".to_owned()))?;
    let place = Place::of(config, &options.database)?;
    let public = key.public();
    let signed = visit::write(config, &place, async |visit, commands| {
        let stores = signatures::stores(config, visit.tasks())?;
        Ok(LogSigner::new(commands, Arc::new(key), stores).sign().await?)
    });
    let Some(signed) = signed.await? else { return Ok(ExitCode::FAILURE) };
    let mut output = Output::open();
    match &signed {
        signed if options.json => output.json(&json!({ "publicKey": public, "signature": signed }))?,
        Some(signature) => output.line(format_args!(
            "signed up to batch {}: {}\npublic key: {public}",
            signature.batch_no,
            signature.file_name()
        ))?,
        None => output.line(format_args!("nothing new to sign\npublic key: {public}"))?,
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
