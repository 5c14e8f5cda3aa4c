//! A vendor on this machine: serves golden streams over HTTP, for trying Slipstream without a key.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use slipstream_testkit::replay::{Cut, ReplayOptions, ReplayServer};

/// Speaks OpenAI's Responses API from golden files, cut and delayed as you like.
///
/// Point Slipstream at it with `OPENAI_BASE_URL=http://ADDRESS` and any `OPENAI_API_KEY` (one that begins with sk-invalid
/// is refused). Put `[[golden=NAME]]` into a prompt to choose the answer, `refusal` or `429_rate_limit` for example;
/// NAME is a file of the golden folder without its extension. Other ways to choose: the header `x-replay-golden`, or a
/// model named like a golden.
#[derive(Debug, Parser)]
#[command(name = "replay-provider", version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The folder of golden files [default: the OpenAI ones of this source tree].
    #[arg(long, value_name = "DIR")]
    golden: Option<PathBuf>,
    /// How bodies are cut: `whole`, `each` (every byte), a number of bytes, or `random(SEED)`.
    #[arg(long, default_value = "200")]
    cut: Cut,
    /// The pause after each piece, in milliseconds.
    #[arg(long, default_value_t = 20)]
    delay_ms: u64,
    /// The golden that answers a request which names none.
    #[arg(long, default_value = "thinking")]
    default: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = ReplayOptions {
        listen: arguments.listen,
        golden: arguments.golden.unwrap_or_else(|| ReplayOptions::openai().golden),
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
    println!("OPENAI_BASE_URL={}", server.base_url());
    // Without Ctrl-C there is nothing to wait for, so an error ends it too.
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("replay-provider: {error}");
    }
    server.stop().await;
    ExitCode::SUCCESS
}
