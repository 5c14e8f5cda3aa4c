//! `slipstream models`: the models that can be asked, and which providers have a key.

use std::process::ExitCode;

use clap::Args;
use slipstream_gateway::{ModelInfo, ProviderModels};

use crate::catalogue::offered;
use crate::config::Config;
use crate::database::DatabaseOptions;
use crate::output::Output;
use crate::usage::Usage;

/// How to list them.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ModelsOptions {
    /// Answer as one JSON object: what `GET /v1/models` answers to a user without keys of their own.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

const EXAMPLES: &str = "\
Limits are tokens, prices US dollars per million tokens; what is not known is left out. A star marks the model taken when a
request names none. More models, and endpoints of your own, are added by the setting catalogue.file.

Examples:
  slipstream models
  slipstream models --json | jq '.providers[] | select(.usable) | .id'";

/// # Errors
/// The catalogue's file is wrong, or nobody reads the answer.
pub(crate) fn run(config: &Config, options: &ModelsOptions) -> anyhow::Result<ExitCode> {
    let catalogue = config.catalogue().map_err(|error| Usage(error.to_string()))?;
    let keys = config.keys(&catalogue).map_err(|error| Usage(error.to_string()))?;
    let models = offered(&catalogue, |id| keys.contains_key(id) || config.base_urls.contains_key(id));
    let mut output = Output::open();
    if options.json {
        output.json(&models)?;
    } else {
        for (provider, vendor) in models.providers.iter().zip(catalogue.vendors()) {
            print(&mut output, provider, vendor.key_setting.as_deref())?;
        }
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print(output: &mut Output, provider: &ProviderModels, key: Option<&str>) -> std::io::Result<()> {
    let ProviderModels { id, name, usable, default_model, models } = provider;
    let state = match key {
        None => "needs no key".to_owned(),
        Some(_) if *usable => "has a key".to_owned(),
        Some(key) => format!("has no key ({key})"),
    };
    output.line(format_args!("{id}: {name}, {state}"))?;
    for model in models {
        let mark = if model.id == *default_model { "*" } else { " " };
        let ModelInfo { id, capabilities, context, max_output, price, .. } = model;
        let tokens = |limit: &Option<u64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        let price = price.map(|price| format!("{} / {}", dollars(price.input), dollars(price.output)));
        output.line(format_args!(
            "  {mark} {:<42} {:>8} {:>7} {:>15}  {}",
            id.as_str(),
            tokens(context),
            tokens(max_output),
            price.unwrap_or_default(),
            capabilities.join(" ")
        ))?;
    }
    Ok(())
}

/// Millionths of a dollar as dollars, with cents, and what is below them where there is any.
fn dollars(micro_usd: u64) -> String {
    let (whole, part) = (micro_usd / 1_000_000, micro_usd % 1_000_000);
    let digits = format!("{part:06}");
    format!("{whole}.{:0<2}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_shown_in_dollars_to_the_last_digit() {
        let shown = [50_000, 1_250_000, 15_000_000, 5].map(dollars);
        assert_eq!(shown, ["0.05", "1.25", "15.00", "0.000005"]);
    }
}
