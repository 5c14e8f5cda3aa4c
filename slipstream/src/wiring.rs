//! Puts the parts together. The one file that knows every adapter; reads from the log up to the clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use slipstream_commands::ports::Ids;
use slipstream_commands::{Commands, Dispatcher, EmailPepper, upcasters};
use slipstream_domain::{ProviderId, WorkerId};
use slipstream_eventlog::{EventLog, LogOptions};
use slipstream_gateway::{DevelopmentEmail, Gateway, GatewayDeps};
use slipstream_local::{
    EnvironmentKeys, InProcessBus, InProcessQueue, InProcessStreamState, SystemClock, UuidV7Ids,
};
use slipstream_projections::{ReadModels, Runner};
use slipstream_providers::{Catalogue, Providers};
use slipstream_workers::{AtGraceEnd, WorkerDeps, Workers};
use sqlx::PgPool;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::catalogue::Names;
use crate::lifecycle::Lifecycle;
use crate::readiness;

/// How long a reply may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(3);

/// What a process is made from.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    pub(crate) pepper: EmailPepper,
    pub(crate) vendors: Vendors,
    pub(crate) metrics: PrometheusHandle,
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

/// Starts everything in one process, on a migrated database that this process owns: nobody else makes replies there, so
/// what is unfinished has lost its owner.
///
/// # Errors
/// A setting cannot work, or the log does not answer.
pub(crate) async fn start(parts: Parts, listener: TcpListener, life: &Lifecycle) -> anyhow::Result<()> {
    let ids: Arc<dyn Ids> = Arc::new(UuidV7Ids::new());
    // Always the same name: a start after a crash has its read models' leases back at once.
    let process = Uuid::nil();
    let Vendors { catalogue, providers, keys, keyless } = parts.vendors;

    let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
    let log = EventLog::start(parts.pool.clone(), options, &life.log.tasks, life.log.drain.clone());
    Runner::new(log.clone(), process).start(&life.projections.tasks, life.projections.drain.clone());
    let read_models = ReadModels::new(log.clone());

    let app = commands(&log, &ids, EnvironmentKeys::new(keys, keyless), parts.pepper);
    let queue = Arc::new(InProcessQueue::new());
    let stream_state = Arc::new(InProcessStreamState::new());

    let workers = Workers::new(WorkerDeps {
        app: app.clone(),
        queue: queue.clone(),
        stream_state: stream_state.clone(),
        read_models: read_models.clone(),
        providers,
        catalogue: Arc::clone(&catalogue),
        worker: WorkerId::from_uuid(ids.uuid()),
        // Nobody else would take over what is left then, and its client must be told.
        settings: slipstream_workers::Settings {
            grace: GRACE,
            at_grace_end: AtGraceEnd::Interrupt,
            ..slipstream_workers::Settings::default()
        },
    });
    let settled = workers.settle_all_now(&life.front.tasks).await?;
    if settled > 0 {
        tracing::info!(replies = settled, "settling what the last run left unfinished");
    }
    workers.start(&life.front.tasks, life.front.drain.clone());
    life.front.tasks.spawn(Dispatcher::new(app.clone(), queue).run(life.front.drain.clone()));

    let gateway = Gateway::new(GatewayDeps {
        authenticate: Arc::new(DevelopmentEmail::new(app.clone())),
        app,
        read_models,
        stream_state,
        catalogue: Arc::new(Names(catalogue)),
        ids,
        settings: slipstream_gateway::Settings::default(),
        checks: readiness::checks(parts.pool, log),
        render_metrics: Arc::new(move || parts.metrics.render()),
    });
    let serving = gateway.serve(listener, life.front.tasks.clone(), life.front.drain.clone());
    life.front.tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(error = &error as &dyn std::error::Error, "the gateway has stopped");
        }
    });
    Ok(())
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
