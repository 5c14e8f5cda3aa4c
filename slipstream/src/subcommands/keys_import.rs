//! `slipstream keys import`: people's own provider keys out of the TypeScript Slipstream.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use slipstream_commands::{Commands, register_user, store_provider_key};
use slipstream_domain::event::RegistrationVia;
use slipstream_domain::{EmailAddress, ProviderId};
use slipstream_vault::OriginalCiphertext;

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::output::Output;
use crate::visit::{self, Visit};

/// What is to be imported.
#[derive(Debug, Args)]
pub(crate) struct ImportOptions {
    /// A file with one JSON object a line.
    file: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Import people's own provider keys out of the TypeScript Slipstream.

Each line of the file is one key as the original kept it, hexadecimal, with whose it is:

  {\"email\": \"ann@example.com\", \"provider\": \"openai\", \"encryptedKey\": \"…\", \"iv\": \"…\", \"authTag\": \"…\", \"isDefault\": true}

The original's ENCRYPTION_KEY must be among the master keys. New people become known by it. The keys are not shown to their
providers, and encrypted anew. Lines that cannot be imported are named by their numbers; they can be mended and imported again.
Exit code 1 when there are any.";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    email: String,
    provider: String,
    encrypted_key: String,
    iv: String,
    auth_tag: String,
    #[serde(default)]
    is_default: bool,
}

/// # Errors
/// The file cannot be read; whatever keeps a database from being written.
pub(crate) async fn run(config: &Config, options: &ImportOptions) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, &options.database)?;
    let named = || options.file.display().to_string();
    let lines = BufReader::new(std::fs::File::open(&options.file).with_context(named)?).lines();
    let done = visit::write(config, &place, async |visit, app| {
        let (mut output, mut imported, mut failed) = (Output::open(), 0, 0);
        for (index, line) in lines.enumerate() {
            let line = line.with_context(named)?;
            if line.trim().is_empty() {
                continue;
            }
            match import(visit, &app, &line).await {
                Ok(()) => imported += 1,
                Err(error) => {
                    failed += 1;
                    output.line(format_args!("line {}: {error:#}", index + 1))?;
                }
            }
        }
        output.line(format_args!("{imported} keys are imported, {failed} are not"))?;
        output.flush()?;
        Ok(failed == 0)
    })
    .await?;
    Ok(if done == Some(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// No error quotes the line.
async fn import(visit: &Visit, app: &Commands, line: &str) -> anyhow::Result<()> {
    let Ok(line) = serde_json::from_str::<Line>(line) else {
        bail!("not a JSON object with email, provider, encryptedKey, iv and authTag");
    };
    let email = EmailAddress::parse(&line.email).context("email")?;
    let provider = ProviderId::parse(&line.provider).context("provider")?;
    let Line { encrypted_key, iv, auth_tag, is_default, .. } = line;
    let sealed = OriginalCiphertext { encrypted_key, iv, auth_tag };
    let key = visit.vault.open_original(&sealed).context("no master key opens it")?;
    let user = register_user(app, &email, RegistrationVia::Service, None).await?;
    store_provider_key(app, &visit.vault.provider_keys(), user, &provider, &key, is_default).await?;
    Ok(())
}
