//! Appends: writers of one process or two, beside as many clients of pgbench, reference and ours in turns.

use anyhow::Result;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::PAYLOAD;
use super::reference::inserts_per_second;
use super::writers::{Written, in_processes};
use crate::cli::LogOptions;
use crate::processes::{self, Usage};
use crate::report::{Row, Target, count, median};
use crate::server::{Database, Server};

struct Case {
    name: &'static str,
    processes: usize,
    /// In each process.
    writers: usize,
    events: usize,
    target: f64,
}

const CASES: [Case; 6] = [
    Case { name: "1 writer, single events", processes: 1, writers: 1, events: 1, target: 0.5 },
    Case { name: "8 writers", processes: 1, writers: 8, events: 1, target: 0.8 },
    Case { name: "32 writers", processes: 1, writers: 32, events: 1, target: 1.3 },
    Case { name: "128 writers", processes: 1, writers: 128, events: 1, target: 2.0 },
    Case { name: "8 writers × 10-event appends", processes: 1, writers: 8, events: 10, target: 0.7 },
    Case { name: "two processes × 8 writers", processes: 2, writers: 8, events: 1, target: 0.6 },
];

/// The case whose latency and size have targets of their own.
const WITH_TARGETS: &str = "32 writers";
/// Milliseconds.
const P99: Target = Target::AtMost(5.0);
const BYTES_BEYOND_PAYLOAD: Target = Target::AtMost(650.0);

/// What one round has read of ours.
struct Round {
    reference: f64,
    appends_per_second: f64,
    p50: f64,
    p99: f64,
    conflicts: f64,
    writer_cpu_us: f64,
    server_cpu_us: f64,
    wal_bytes: f64,
    fsyncs: f64,
    batch: f64,
    bytes_beyond_payload: f64,
}

pub(crate) async fn measure(server: &Server, options: &LogOptions) -> Result<Vec<Row>> {
    let (rounds, seconds) = if options.quick { (1, 2) } else { (options.rounds, options.seconds) };
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(&options.only)) {
        let mut measured = Vec::new();
        let mut before = inserts_per_second(server, case.clients(), seconds).await?;
        for _ in 0..rounds {
            let mut round = case.round(server, seconds).await?;
            let after = inserts_per_second(server, case.clients(), seconds).await?;
            round.reference = f64::midpoint(before, after);
            before = after;
            measured.push(round);
        }
        eprintln!("{}: measured", case.name);
        rows.extend(case.rows(&measured));
    }
    Ok(rows)
}

impl Case {
    fn clients(&self) -> usize {
        self.processes * self.writers
    }

    async fn round(&self, server: &Server, seconds: u32) -> Result<Round> {
        let database = server.fresh("slipstream_bench_log").await?;
        database.migrate().await?;
        let (empty, _): (i64, i64) = sqlx::query_as(SIZE).fetch_one(&database.pool).await?;
        let (wal, cpu) = (Wal::read(&database.pool).await?, server_usage(server));
        let written = in_processes(self.processes, &self.arguments(&database, seconds)).await?;
        let (wal, cpu) = (Wal::read(&database.pool).await?.since(&wal), server_usage(server).since(cpu));
        let (full, batches): (i64, i64) = sqlx::query_as(SIZE).fetch_one(&database.pool).await?;
        server.forget(database).await?;
        Ok(self.judge(&written, &wal, cpu, (full - empty, batches)))
    }

    fn arguments(&self, database: &Database, seconds: u32) -> Vec<String> {
        let pairs = [
            ("--database-url", database.url.clone()),
            ("--writers", self.writers.to_string()),
            ("--events", self.events.to_string()),
            ("--seconds", seconds.to_string()),
        ];
        let options = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        std::iter::once("writers".to_owned()).chain(options).collect()
    }

    fn judge(&self, written: &[Written], wal: &Wal, cpu: Usage, (bytes, batches): (i64, i64)) -> Round {
        let sum = |of: fn(&Written) -> f64| written.iter().map(of).sum::<f64>();
        let worst = |of: fn(&Written) -> f64| written.iter().map(of).fold(0.0, f64::max);
        let appends = sum(|process| count(process.appends));
        // Each process has appended one event before its cue.
        let events = appends * count(self.events);
        let stored = events + count(self.processes);
        Round {
            reference: 0.0,
            appends_per_second: sum(|process| count(process.appends) / process.seconds),
            p50: worst(|process| process.latency.p50),
            p99: worst(|process| process.latency.p99),
            conflicts: sum(|process| count(process.conflicts)),
            writer_cpu_us: sum(|process| process.cpu_s) * 1e6 / events,
            server_cpu_us: cpu.cpu_s * 1e6 / events,
            wal_bytes: wal.bytes / events,
            fsyncs: wal.fsyncs / events,
            batch: appends / count(batches),
            bytes_beyond_payload: count(bytes) / stored - count(PAYLOAD.len()),
        }
    }

    fn rows(&self, rounds: &[Round]) -> Vec<Row> {
        let of = |read: fn(&Round) -> f64| median(rounds.iter().map(read).collect());
        let ratio = of(|round| round.appends_per_second / round.reference);
        let details = json!({
            "ratios": rounds.iter().map(|round| round.appends_per_second / round.reference).collect::<Vec<_>>(),
            "appendsPerSecond": of(|round| round.appends_per_second),
            "referencePerSecond": of(|round| round.reference),
            "eventsRatio": ratio * count(self.events),
            "p50Ms": of(|round| round.p50),
            "p99Ms": of(|round| round.p99),
            "conflicts": of(|round| round.conflicts),
            "appendsPerCommit": of(|round| round.batch),
            "walBytesPerEvent": of(|round| round.wal_bytes),
            "fsyncsPerEvent": of(|round| round.fsyncs),
            "bytesBeyondPayload": of(|round| round.bytes_beyond_payload),
            "writerCpuUsPerEvent": of(|round| round.writer_cpu_us),
            "serverCpuUsPerEvent": of(|round| round.server_cpu_us),
        });
        let mut rows =
            vec![Row::new(self.name, ratio, "× reference", Some(Target::AtLeast(self.target)), details)];
        if self.name == WITH_TARGETS {
            rows.push(Row::new("p99 at 32 writers", of(|round| round.p99), "ms", Some(P99), Value::Null));
            rows.push(Row::new(
                "bytes an event beyond its payload",
                of(|round| round.bytes_beyond_payload),
                "bytes",
                Some(BYTES_BEYOND_PAYLOAD),
                Value::Null,
            ));
        }
        rows
    }
}

/// What the log's tables and indexes take, and how many batches there are.
const SIZE: &str = "SELECT sum(pg_total_relation_size(c.oid))::bigint, (SELECT count(*) FROM es.batch)
    FROM pg_class AS c WHERE c.relnamespace = 'es'::regnamespace AND c.relkind = 'r'";

/// PostgreSQL counted fsyncs of the WAL in `pg_stat_wal` up to 17 and counts them in `pg_stat_io` since.
struct Wal {
    bytes: f64,
    fsyncs: f64,
}

impl Wal {
    async fn read(pool: &PgPool) -> Result<Self> {
        const COUNTED: &str =
            "SELECT wal_bytes::float8, (to_jsonb(w) ->> 'wal_sync')::float8 FROM pg_stat_wal AS w";
        const COUNTED_SINCE_18: &str =
            "SELECT coalesce(sum(fsyncs), 0)::float8 FROM pg_stat_io WHERE object = 'wal'";
        let (bytes, fsyncs): (f64, Option<f64>) = sqlx::query_as(COUNTED).fetch_one(pool).await?;
        let fsyncs = match fsyncs {
            Some(fsyncs) => fsyncs,
            None => sqlx::query_scalar(COUNTED_SINCE_18).fetch_one(pool).await?,
        };
        Ok(Self { bytes, fsyncs })
    }

    fn since(&self, before: &Self) -> Self {
        Self { bytes: self.bytes - before.bytes, fsyncs: self.fsyncs - before.fsyncs }
    }
}

fn server_usage(server: &Server) -> Usage {
    server.pid().map_or_else(Usage::default, processes::tree)
}
