//! The suite of the chat path (`09-targets`), against one running server.

mod cases;
mod client;
mod host;
mod load;
pub(crate) mod provider;
pub(crate) mod relay;
mod sockets;
mod stamp;
mod tally;

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::cli::{ChatOptions, Suite};
use crate::report::{Report, Row};
use host::Host;
use load::Load;
use provider::Pace;

/// Runs it.
///
/// # Errors
/// Something that is needed does not start or does not answer. A missed target is none, nor is a chat that failed: it
/// is counted.
pub(crate) async fn run(options: ChatOptions) -> Result<Report> {
    let host = Host::start(&options).await?;
    let rows = match options.suite {
        Suite::Targets => targets(&host, &options).await,
        Suite::Load => one_load(&host, &options).await,
    };
    host.stop().await?;
    let machine = json!({ "cpus": std::thread::available_parallelism()?.get(), "quick": options.quick });
    Ok(Report { suite: "chat", machine, rows: rows? })
}

async fn targets(host: &Host, options: &ChatOptions) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let wanted = |name: &str| name.contains(&options.only);
    if wanted("idle") {
        // First, while the server's memory has seen nothing else.
        rows.extend(sockets::idle(host, options.quick).await?);
    }
    if wanted("ping") {
        rows.extend(sockets::pings(host, options.quick).await?);
    }
    if wanted("history") {
        rows.extend(cases::history(host, options.quick).await?);
    }
    if wanted("at once") {
        rows.extend(cases::bursts(host, options.quick).await?);
    }
    if wanted("floor") {
        rows.extend(cases::floor(host, options.quick).await?);
    }
    if wanted("steady") {
        rows.extend(cases::steady(host, options.quick).await?);
    }
    if wanted("resume") {
        rows.extend(sockets::resume(host, options.quick).await?);
    }
    if wanted("long reply") {
        rows.extend(cases::long_reply(host, options.quick).await?);
    }
    Ok(rows)
}

async fn one_load(host: &Host, options: &ChatOptions) -> Result<Vec<Row>> {
    let pace = Pace { chunks: options.chunks, delay: Duration::from_millis(options.delay_ms) };
    let load = Load { chats: options.chats, pace, per_second: options.per_second };
    let done = load::run(host, load).await?;
    Ok(vec![Row::new("load: first chunk p50", done.seen.first.p50, "ms", None, done.details())])
}
