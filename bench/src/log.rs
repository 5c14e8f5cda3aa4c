//! The suite of the event log (`09-targets`): appends beside pgbench, then reads of one larger log.

mod appends;
mod conversations;
mod reads;
mod reference;
pub(crate) mod writers;

use anyhow::Result;
use serde_json::json;

use crate::cli::LogOptions;
use crate::report::{Report, Row};
use crate::server::Server;

/// What an event of the measurements holds beside its envelope, and a row of the reference: 300 bytes of JSON, of the
/// shape of a recorded stretch of a reply.
pub(crate) const PAYLOAD: &str = r#"{"epoch":1,"fromSeq":101,"nonce":"8b0a3f24-9aee-4a53-b2a9-4e8e2a90d5f3","parts":[{"ends":[4,9,12,18,25,31,36,44,51,57,63,70,78,85,91,97,104,110,118,125,133],"part":"text","startOffset":0},{"ends":[7,13,21,30,38,45,52,60,66,73,81,90,97,105,112,120,126],"part":"thinking","startOffset":0}],"toSeq":137}"#;

/// Runs it.
///
/// # Errors
/// Something that is needed does not start or does not answer. A missed target is none.
pub(crate) async fn run(options: LogOptions) -> Result<Report> {
    let server = Server::start(options.database_url.clone(), options.scratch.as_deref()).await?;
    let rows = measure(&server, &options).await;
    let machine = json!({
        "cpus": std::thread::available_parallelism()?.get(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "quick": options.quick,
    });
    server.stop().await?;
    Ok(Report { suite: "log", machine, rows: rows? })
}

async fn measure(server: &Server, options: &LogOptions) -> Result<Vec<Row>> {
    let mut rows = appends::measure(server, options).await?;
    rows.extend(reads::measure(server, options).await?);
    rows.extend(conversations::measure(server, options).await?);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_payload_is_canonical_json_of_300_bytes() {
        let value: serde_json::Value = serde_json::from_str(super::PAYLOAD).unwrap();
        assert_eq!((value.to_string().len(), super::PAYLOAD.len()), (300, 300));
    }
}
