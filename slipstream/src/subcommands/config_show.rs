//! `slipstream config show`: which settings hold, and where each comes from.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::config::{Config, Effective};
use crate::database::DatabaseOptions;
use crate::output::Output;

/// How to show them.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ShowOptions {
    /// Answer as one JSON object: by the setting's name, its value and where it comes from.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

const EXAMPLES: &str = "\
Defaults come first, then the file (--config, else slipstream.toml in the data folder), then the environment:
SLIPSTREAM_<SECTION>__<NAME>, or a well-known name such as OPENAI_API_KEY. ops/slipstream.example.toml tells of all.

Examples:
  slipstream config show
  SLIPSTREAM_GATEWAY__MAX_IN_FLIGHT=4 slipstream config show --json";

/// # Errors
/// Nobody reads the answer.
pub(crate) fn run(config: &Config, options: &ShowOptions) -> anyhow::Result<ExitCode> {
    let mut output = Output::open();
    if options.json {
        output.json(&as_json(&config.effective))?;
    } else {
        as_toml(&mut output, config)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(settings: &[Effective]) -> Value {
    let entry = |setting: &Effective| {
        let place = setting.place.as_deref().unwrap_or("default");
        (setting.key.to_owned(), json!({ "value": setting.value, "source": place }))
    };
    Value::Object(settings.iter().map(entry).collect::<Map<_, _>>())
}

fn as_toml(output: &mut Output, config: &Config) -> std::io::Result<()> {
    match &config.file {
        Some(file) => output.line(format_args!("# file: {}", file.display()))?,
        None => output.line("# no file was read")?,
    }
    let mut section = "";
    for Effective { key, value, place, .. } in &config.effective {
        let (within, name) = key.rsplit_once('.').unwrap_or(("", key));
        if within != section {
            section = within;
            output.line(format_args!("\n[{section}]"))?;
        }
        // Numbers, flags, texts and lists of texts are written in TOML as in JSON.
        match (value, place) {
            (Some(value), Some(place)) => output.line(format_args!("{name} = {value} # {place}"))?,
            (Some(value), None) => output.line(format_args!("{name} = {value} # default"))?,
            (None, _) => output.line(format_args!("# {name} is not set"))?,
        }
    }
    Ok(())
}
