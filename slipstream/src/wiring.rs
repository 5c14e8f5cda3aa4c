//! Puts the parts together. The one file that knows every adapter; reads from the log up to the clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use secrecy::SecretString;
use slipstream_commands::ports::Ids;
use slipstream_commands::{Commands, Dispatcher, EmailPepper, upcasters};
use slipstream_domain::{ProviderId, WorkerId};
use slipstream_eventlog::{EventLog, LogOptions};
use slipstream_gateway::{DevelopmentEmail, Gateway, GatewayDeps};
use slipstream_local::{
    EnvironmentKeys, InProcessBus, InProcessQueue, InProcessStreamState, SystemClock, UuidV7Ids,
};
use slipstream_projections::{ReadModels, Runner, watch_lag};
use slipstream_providers::{Catalogue, Providers};
use slipstream_workers::{AtGraceEnd, WorkerDeps, Workers};
use sqlx::PgPool;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::catalogue::Names;
use crate::lifecycle::Lifecycle;
use crate::readiness;
use crate::telemetry::{Metrics, traceparent};

/// What a process is made from.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) pepper: EmailPepper,
    pub(crate) vendors: Vendors,
    pub(crate) gateway: slipstream_gateway::Settings,
    pub(crate) worker: slipstream_workers::Settings,
    pub(crate) metrics: Metrics,
}

/// Whom to ask, and with which keys.
pub(crate) struct Vendors {
    catalogue: Arc<Catalogue>,
    providers: Arc<Providers>,
    keys: BTreeMap<ProviderId, SecretString>,
    /// Reached at a base URL that brings its own key: a proxy.
    keyless: BTreeSet<ProviderId>,
}

impl Vendors {
    /// Settings of a vendor this version cannot speak to are left out, with a warning: the simulated provider answers for
    /// it as if it had none.
    ///
    /// # Errors
    /// A base URL that is none.
    pub(crate) fn new(
        mut keys: BTreeMap<ProviderId, SecretString>,
        mut base_urls: BTreeMap<ProviderId, String>,
    ) -> anyhow::Result<Self> {
        let catalogue = Arc::new(Catalogue::shipped()?);
        let settings = slipstream_providers::Settings {
            base_urls: base_urls.clone(),
            traceparent: Some(traceparent),
            ..slipstream_providers::Settings::default()
        };
        let providers = Providers::new(&settings, &catalogue, Arc::new(rand::random::<f64>))
            .context("the settings of the providers cannot work")?;
        let mute: BTreeSet<_> =
            keys.keys().chain(base_urls.keys()).filter(|id| providers.get(id).is_none()).cloned().collect();
        for provider in mute {
            tracing::warn!(%provider, "this version cannot speak to it yet; its settings are not used");
            keys.remove(&provider);
            base_urls.remove(&provider);
        }
        let keyless = base_urls.into_keys().filter(|id| !keys.contains_key(id)).collect();
        Ok(Self { catalogue, providers: Arc::new(providers), keys, keyless })
    }
}

/// What a process does for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Fills the read models.
    Projector,
    /// Makes replies.
    Worker,
    /// Talks to clients.
    Gateway,
}

impl Role {
    /// In the order they start: nobody before those who are needed.
    pub(crate) const ALL: [Self; 3] = [Self::Projector, Self::Worker, Self::Gateway];

    /// # Errors
    /// These need others that are not among them; the text says which, and why.
    pub(crate) fn check_together(roles: &BTreeSet<Self>) -> Result<(), String> {
        let missing: Vec<_> =
            Self::ALL.iter().filter(|role| !roles.contains(role)).map(|role| role.name()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "these roles need {} in the same process: this version has no job queue and bus (NATS) and no stream state \
             (Redis) that processes could share",
            missing.join(" and ")
        ))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Projector => "projector",
            Self::Worker => "worker",
            Self::Gateway => "gateway",
        }
    }
}

/// What the roles of a process share.
struct Shared {
    log: EventLog,
    app: Commands,
    read_models: ReadModels,
    queue: Arc<InProcessQueue>,
    stream_state: Arc<InProcessStreamState>,
    catalogue: Arc<Catalogue>,
    ids: Arc<dyn Ids>,
}

/// Starts the roles in one process, on a migrated database that this process owns: nobody else makes replies there, so
/// what is unfinished has lost its owner.
///
/// # Errors
/// A setting cannot work, or the log does not answer.
pub(crate) async fn start(
    roles: &BTreeSet<Role>,
    parts: Parts,
    listener: TcpListener,
    life: &Lifecycle,
) -> anyhow::Result<()> {
    let ids: Arc<dyn Ids> = Arc::new(UuidV7Ids::new());
    let Vendors { catalogue, providers, keys, keyless } = parts.vendors;
    let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
    let log = EventLog::start(parts.pool.clone(), options, &life.log.tasks, life.log.drain.clone());
    let shared = Shared {
        app: commands(&log, &ids, EnvironmentKeys::new(keys, keyless), parts.pepper),
        read_models: ReadModels::new(log.clone()),
        queue: Arc::new(InProcessQueue::new()),
        stream_state: Arc::new(InProcessStreamState::new()),
        log,
        catalogue,
        ids,
    };
    life.log.tasks.spawn(parts.metrics.clone().sort(life.log.drain.clone()));
    if roles.contains(&Role::Projector) {
        projector(&shared, life);
    }
    if roles.contains(&Role::Worker) {
        worker(&shared, providers, parts.worker, life).await?;
    }
    if roles.contains(&Role::Gateway) {
        gateway(shared, parts.pool, parts.gateway, parts.metrics, listener, life);
    }
    Ok(())
}

fn projector(shared: &Shared, life: &Lifecycle) {
    // Always the same name: a start after a crash has its read models' leases back at once.
    let process = Uuid::nil();
    Runner::new(shared.log.clone(), process).start(&life.projections.tasks, life.projections.drain.clone());
    let app = shared.app.clone();
    let watched = watch_lag(shared.log.clone(), move || app.now(), life.projections.drain.clone());
    life.projections.tasks.spawn(watched);
}

async fn worker(
    shared: &Shared,
    providers: Arc<Providers>,
    settings: slipstream_workers::Settings,
    life: &Lifecycle,
) -> anyhow::Result<()> {
    let workers = Workers::new(WorkerDeps {
        app: shared.app.clone(),
        queue: shared.queue.clone(),
        stream_state: shared.stream_state.clone(),
        read_models: shared.read_models.clone(),
        providers,
        catalogue: Arc::clone(&shared.catalogue),
        worker: WorkerId::from_uuid(shared.ids.uuid()),
        // Nobody else would take over what is left then, and its client must be told.
        settings: slipstream_workers::Settings { at_grace_end: AtGraceEnd::Interrupt, ..settings },
    });
    let settled = workers.settle_all_now(&life.front.tasks).await?;
    if settled > 0 {
        tracing::info!(replies = settled, "settling what the last run left unfinished");
    }
    workers.start(&life.front.tasks, life.front.drain.clone());
    let dispatcher = Dispatcher::new(shared.app.clone(), shared.queue.clone());
    life.front.tasks.spawn(dispatcher.run(life.front.drain.clone()));
    Ok(())
}

fn gateway(
    shared: Shared,
    pool: PgPool,
    settings: slipstream_gateway::Settings,
    metrics: Metrics,
    listener: TcpListener,
    life: &Lifecycle,
) {
    let gateway = Gateway::new(GatewayDeps {
        authenticate: Arc::new(DevelopmentEmail::new(shared.app.clone())),
        app: shared.app,
        read_models: shared.read_models,
        stream_state: shared.stream_state,
        catalogue: Arc::new(Names(shared.catalogue)),
        ids: shared.ids,
        settings,
        checks: readiness::checks(pool, shared.log),
        render_metrics: Arc::new(move || metrics.render()),
    });
    let serving = gateway.serve(listener, life.front.tasks.clone(), life.front.drain.clone());
    life.front.tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(error = &error as &dyn std::error::Error, "the gateway has stopped");
        }
    });
}

fn commands(log: &EventLog, ids: &Arc<dyn Ids>, keys: EnvironmentKeys, pepper: EmailPepper) -> Commands {
    Commands::new(
        log.clone(),
        Arc::new(SystemClock::new()),
        Arc::clone(ids),
        Arc::new(keys),
        Arc::new(InProcessBus::new()),
        pepper,
    )
}
