//! The promise of exact resume, with real processes: a PostgreSQL with fsync on, a Redis, a NATS, two gateways, two workers
//! and two projectors, and v1 clients that ask all the time while each of them in turn is killed, frozen, flushed or
//! restarted. Afterwards every client's text is held against the log.
//!
//! `ops/test` lives through each fault once, `ops/chaos` as often as it is told. `SLIPSTREAM_CHAOS_ROUNDS`,
//! `SLIPSTREAM_CHAOS_CLIENTS` and `SLIPSTREAM_CHAOS_SEED` set other numbers; `SLIPSTREAM_CHAOS_FAULTS` picks faults by words of
//! their names, separated by commas. What the processes of a round with a violation said is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod client;
mod fault;
mod node;
mod site;
mod tally;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::fault::Fault;
use crate::site::Site;
use crate::tally::{Count, Table, Tally};

/// How long the load goes on before something happens, at least, and after it is mended.
const CALM: Duration = Duration::from_secs(2);
/// How much is printed of what is wrong with an episode; the rest is more of the same.
const WORDS: usize = 5;

/// What is to be lived through.
struct Plan {
    rounds: usize,
    clients: usize,
    seed: u64,
    faults: Vec<Fault>,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_every_client_ends_with_the_text_of_the_log() {
    let plan = Plan::of_environment();
    eprintln!("seed {}, {} clients", plan.seed, plan.clients);
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt()).unwrap(), signal(SignalKind::terminate()).unwrap());
    // A signal ends all processes with us; they are nobody else's children.
    let table = tokio::select! {
        table = live(&plan) => table.unwrap(),
        _ = interrupt.recv() => panic!("interrupted"),
        _ = terminate.recv() => panic!("terminated"),
    };
    eprintln!("\n{table}");
    assert!(table.is_clean(), "SLIPSTREAM_CHAOS_SEED={} may show it again", plan.seed);
}

async fn live(plan: &Plan) -> Result<Table> {
    let mut table = Table::default();
    for round in 0..plan.rounds {
        let logs = logs(plan.seed, round);
        let mut site = Site::start(&logs).await.with_context(|| format!("see {}", logs.display()))?;
        let mut clean = true;
        for (number, fault) in plan.faults.iter().enumerate() {
            let seed = plan.seed.wrapping_add((round * Fault::ALL.len() + number) as u64 * 1000);
            let begin = Instant::now();
            let tally = episode(&mut site, *fault, round, plan.clients, seed).await;
            let (took, wrong) = (begin.elapsed().as_secs(), tally.wrong.len());
            eprintln!("round {round}, {fault}: {} replies, {wrong} wrong, {took} s", tally.replies);
            tell(&logs, &tally.wrong)?;
            clean &= tally.wrong.is_empty();
            table.add(*fault, tally);
        }
        site.stop().await?;
        if clean {
            std::fs::remove_dir_all(&logs)?;
        } else {
            eprintln!("what the processes said, and the clients saw, is in {}", logs.display());
        }
    }
    Ok(table)
}

/// Says what is wrong in short; all of it goes beside what the processes say.
fn tell(logs: &Path, wrong: &[String]) -> Result<()> {
    let mut file = File::options().create(true).append(true).open(logs.join("clients.log"))?;
    for (number, what) in wrong.iter().enumerate() {
        writeln!(file, "{what}\n")?;
        if number < WORDS {
            eprintln!("  {}", what.lines().next().unwrap_or_default());
        }
    }
    Ok(())
}

/// Load, in the middle of it a fault, and a look at everybody.
async fn episode(site: &mut Site, fault: Fault, round: usize, clients: usize, seed: u64) -> Tally {
    let mut tally = Tally::default();
    tally.rounds = 1;
    match under_load(site, fault, round, clients, seed).await {
        Ok(found) => tally.add(found),
        Err(error) => tally.found(Count::Broken, format!("{error:#}")),
    }
    tally
}

async fn under_load(site: &mut Site, fault: Fault, which: usize, clients: usize, seed: u64) -> Result<Tally> {
    let enough = CancellationToken::new();
    let gateways = site.gateways();
    let users = (0..clients).map(|number| Client::new(number, seed, gateways.clone()).run(enough.clone()));
    let mut random = StdRng::seed_from_u64(seed);
    let happening = async {
        sleep(CALM + Duration::from_millis(random.random_range(0..1000))).await;
        let happened = fault.happen(site, which).await;
        sleep(CALM).await;
        enough.cancel();
        happened
    };
    let (stories, happened) = tokio::join!(join_all(users), happening);
    happened?;
    site.ready().await?;
    check::check(site, fault, &stories).await
}

/// Where the processes of a round write what they say.
fn logs(seed: u64, round: usize) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}-{round}"))
}

impl Plan {
    fn of_environment() -> Self {
        let faults = variable("SLIPSTREAM_CHAOS_FAULTS").unwrap_or_default();
        let wanted = |fault: &Fault| faults.split(',').any(|word| fault.to_string().contains(word.trim()));
        Self {
            rounds: number("SLIPSTREAM_CHAOS_ROUNDS").unwrap_or(1),
            clients: number("SLIPSTREAM_CHAOS_CLIENTS").unwrap_or(40),
            seed: number("SLIPSTREAM_CHAOS_SEED").unwrap_or_else(rand::random::<u32>).into(),
            faults: Fault::ALL.into_iter().filter(wanted).collect(),
        }
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let number = variable(name)?.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[allow(clippy::disallowed_methods, reason = "tests have no configuration to take it from")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
