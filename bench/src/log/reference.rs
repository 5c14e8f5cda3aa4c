//! The reference: pgbench, one INSERT a transaction into a table with one index.

use std::io::Write as _;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::PAYLOAD;
use crate::server::Server;

const TABLE: &str = "CREATE TABLE reference (id bigserial PRIMARY KEY, stream uuid, data jsonb)";

/// Rows a second, with so many clients.
pub(crate) async fn inserts_per_second(server: &Server, clients: usize, seconds: u32) -> Result<f64> {
    let pgbench = server.pgbench()?;
    let database = server.fresh("slipstream_bench_reference").await?;
    sqlx::raw_sql(TABLE).execute(&database.pool).await?;
    let mut script = tempfile::NamedTempFile::new()?;
    // `::` would not stand in its way, but `:name` is a variable of pgbench; JSON's are followed by no name.
    writeln!(script, "INSERT INTO reference (stream, data) VALUES (gen_random_uuid(), '{PAYLOAD}');")?;
    let threads = clients.min(std::thread::available_parallelism()?.get());
    let mut command = Command::new(pgbench);
    command.args(["--no-vacuum", "--protocol=prepared"]).arg(format!("--client={clients}"));
    command.arg(format!("--jobs={threads}")).arg(format!("--time={seconds}"));
    command.arg("--file").arg(script.path()).arg(&database.url).kill_on_drop(true);
    let output = command.output().await?;
    if !output.status.success() {
        bail!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    server.forget(database).await?;
    let told = String::from_utf8_lossy(&output.stdout);
    rate(&told).with_context(|| format!("pgbench told no rate: {told}"))
}

/// `tps = 5123.456789 (without initial connection time)`
fn rate(output: &str) -> Option<f64> {
    output.lines().find_map(|line| line.strip_prefix("tps = "))?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rate_is_the_number_of_its_line() {
        let output = "number of clients: 8\ntps = 5123.5 (without initial connection time)\n";
        assert_eq!(super::rate(output), Some(5123.5));
        assert_eq!(super::rate("pgbench: error"), None);
    }
}
