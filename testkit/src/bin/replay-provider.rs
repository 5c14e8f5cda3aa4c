//! All vendors on this machine: serves golden streams over HTTP, for trying Slipstream without a key.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use slipstream_testkit::replay::{Cut, ReplayOptions, ReplayServer};

/// Base URL settings and the vendors they are of; the same as Slipstream's own.
const SETTINGS: [(&str, &str); 6] = [
    ("OPENAI_BASE_URL", "openai"),
    ("GEMINI_BASE_URL", "gemini"),
    ("XAI_BASE_URL", "grok"),
    ("ANTHROPIC_BASE_URL", "anthropic"),
    ("LLAMA_BASE_URL", "meta"),
    ("V0_BASE_URL", "vercel"),
];

/// Speaks the APIs of OpenAI, Google, xAI, Anthropic, Meta, Vercel and of compatible servers from golden files, cut and
/// delayed as you like.
///
/// Point Slipstream at it with the settings it prints, and any keys (one that contains `invalid` is refused). Put
/// `[[golden=NAME]]` into a prompt to choose the answer, `refusal` or `429_rate_limit` for example; NAME is a file of the
/// vendor's golden folder without its extension. Other ways to choose: the header `x-replay-golden`, or a model named like a
/// golden. Compatible servers are at ADDRESS/compatible/v1.
#[derive(Debug, Parser)]
#[command(name = "replay-provider", version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The folder with a folder of golden files for each vendor [default: those of this source tree].
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// How bodies are cut: `whole`, `each` (every byte), a number of bytes, or `random(SEED)`.
    #[arg(long, default_value = "200")]
    cut: Cut,
    /// The pause after each piece, in milliseconds.
    #[arg(long, default_value_t = 20)]
    delay_ms: u64,
    /// The golden that answers a request which names none; `text` where a vendor does not have it.
    #[arg(long, default_value = "thinking")]
    default: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = ReplayOptions {
        listen: arguments.listen,
        golden: arguments.golden.unwrap_or_else(|| ReplayOptions::shipped().golden),
        cut: arguments.cut,
        delay: Duration::from_millis(arguments.delay_ms),
        default: arguments.default,
    };
    let server = match ReplayServer::start(options).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("replay-provider: cannot start on {}: {error}", arguments.listen);
            return ExitCode::FAILURE;
        }
    };
    for (setting, vendor) in SETTINGS {
        println!("{setting}={}", server.base_url_of(vendor));
    }
    // Without Ctrl-C there is nothing to wait for, so an error ends it too.
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("replay-provider: {error}");
    }
    server.stop().await;
    ExitCode::SUCCESS
}
