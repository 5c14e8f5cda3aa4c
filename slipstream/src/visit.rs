//! A short command's stay at a database: opens it beside its owner or while there is none, and leaves it as it was.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, bail};
use slipstream_commands::{Commands, EmailPepper, upcasters};
use slipstream_eventlog::{EventLog, LogOptions};
use slipstream_local::{EnvironmentKeys, InProcessBus, SystemClock, UuidV7Ids};
use slipstream_projections::Runner;
use slipstream_vault::Vault;
use sqlx::PgPool;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::config::Config;
use crate::database::{Database, Place};
use crate::lifecycle::{Stage, StopSignals};
use crate::secrets;

/// Connections of a short command.
const CONNECTIONS: u32 = 4;

/// An open database, as a visitor has it.
pub(crate) struct Visit {
    pub(crate) pool: PgPool,
    pub(crate) vault: Vault,
    stage: Stage,
}

impl Visit {
    /// The log, whose tasks end with the visit. To be asked for once.
    pub(crate) fn log(&self) -> EventLog {
        let options = LogOptions {
            key_ring: Arc::new(self.vault.key_ring()),
            upcasters: upcasters(),
            ..LogOptions::default()
        };
        EventLog::start(self.pool.clone(), options, &self.stage.tasks, self.stage.drain.clone())
    }

    /// The use cases on that log; none of them is one that makes replies.
    fn commands(&self, pepper: EmailPepper) -> Commands {
        Commands::new(
            self.log(),
            Arc::new(SystemClock::new()),
            Arc::new(UuidV7Ids::new()),
            Arc::new(EnvironmentKeys::default()),
            Arc::new(InProcessBus::new()),
            pepper,
        )
    }

    /// What goes on in the background and ends with the visit.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.stage.tasks
    }

    /// Fills the read models as long as the visit lasts, unless somebody does already.
    pub(crate) fn start_read_models(&self, log: &EventLog) {
        Runner::new(log.clone(), Uuid::now_v7()).start(&self.stage.tasks, self.stage.drain.clone());
    }
}

/// Lets `work` read the log of a database whose schema is this program's. `None` when a signal ended it before; it is
/// dropped then at whatever it waits for.
///
/// # Errors
/// There is no such database, it does not answer, its schema is another; whatever `work` fails with.
pub(crate) async fn read<T>(
    config: &Config,
    place: &Place,
    work: impl AsyncFnOnce(&EventLog) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    place.must_exist()?;
    let migrated_only = async |visit: &Visit| {
        must_be_migrated(&visit.pool).await?;
        work(&visit.log()).await
    };
    visit(config, place, migrated_only).await
}

/// Lets `work` write to it beside its owner, through the use cases.
///
/// # Errors
/// As [`read`]; a secret is missing that writing needs.
pub(crate) async fn write<T>(
    config: &Config,
    place: &Place,
    work: impl AsyncFnOnce(&Visit, Commands) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    place.must_exist()?;
    secrets::check(config, place)?;
    let pepper = secrets::pepper(config, place)?;
    let ready_only = async |visit: &Visit| {
        must_be_migrated(&visit.pool).await?;
        visit.vault.check().await?;
        work(visit, visit.commands(pepper)).await
    };
    visit(config, place, ready_only).await
}

/// The same with any database, whatever its schema.
///
/// # Errors
/// It does not answer; whatever `work` fails with.
pub(crate) async fn visit<T>(
    config: &Config,
    place: &Place,
    work: impl AsyncFnOnce(&Visit) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let mut stop = StopSignals::listen()?;
    let masters = secrets::known_master_keys(config, place)?;
    let database = Database::visit(config, place, CONNECTIONS).await?;
    let vault = Vault::new(database.pool.clone(), masters);
    let visit = Visit { pool: database.pool.clone(), vault, stage: Stage::default() };
    let done = until(work(&visit), &mut stop).await;
    visit.stage.drain.cancel();
    visit.stage.tasks.close();
    visit.stage.tasks.wait().await;
    let closed = database.close().await;
    let done = done.transpose()?;
    closed?;
    Ok(done)
}

async fn until<T>(work: impl Future<Output = T>, stop: &mut StopSignals) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = stop.next() => None,
    }
}

/// # Errors
/// The schema of the database is not this program's.
pub(crate) async fn must_be_migrated(pool: &PgPool) -> anyhow::Result<()> {
    let schema = slipstream_eventlog::schema(pool).await.context("the schema cannot be looked at")?;
    match schema.missing() {
        0 => Ok(()),
        missing => bail!("the schema lacks {missing} migrations; run `slipstream migrate`"),
    }
}
