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
use slipstream_workers::{WorkerDeps, Workers};
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
    pub(crate) keys: BTreeMap<ProviderId, SecretString>,
    pub(crate) base_urls: BTreeMap<ProviderId, String>,
    pub(crate) metrics: PrometheusHandle,
    /// This process holds the only lock there is, so nobody else can be making a reply.
    pub(crate) alone: bool,
}

/// Starts everything in one process, on a migrated database.
///
/// # Errors
/// A setting cannot work, or the log does not answer.
pub(crate) async fn start(parts: Parts, listener: TcpListener, life: &Lifecycle) -> anyhow::Result<()> {
    let ids: Arc<dyn Ids> = Arc::new(UuidV7Ids::new());
    let process = if parts.alone { Uuid::nil() } else { ids.uuid() };

    let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
    let log = EventLog::start(parts.pool.clone(), options, &life.log.tasks, life.log.drain.clone());
    Runner::new(log.clone(), process).start(&life.projections.tasks, life.projections.drain.clone());
    let read_models = ReadModels::new(log.clone());

    let catalogue = Arc::new(Catalogue::shipped()?);
    let providers = providers(&parts.base_urls, &catalogue)?;
    let app = commands(&log, &ids, parts.keys, &parts.base_urls, parts.pepper);
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
        settings: slipstream_workers::Settings { grace: GRACE, ..slipstream_workers::Settings::default() },
    });
    if parts.alone {
        let settled = workers.settle_all_now(&life.front.tasks).await?;
        if settled > 0 {
            tracing::info!(replies = settled, "settling what the last run left unfinished");
        }
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

fn commands(
    log: &EventLog,
    ids: &Arc<dyn Ids>,
    keys: BTreeMap<ProviderId, SecretString>,
    base_urls: &BTreeMap<ProviderId, String>,
    pepper: EmailPepper,
) -> Commands {
    // A base URL without a key is a proxy that holds the key itself.
    let keyless: BTreeSet<_> = base_urls.keys().filter(|id| !keys.contains_key(*id)).cloned().collect();
    Commands::new(
        log.clone(),
        Arc::new(SystemClock::new()),
        Arc::clone(ids),
        Arc::new(EnvironmentKeys::new(keys, keyless)),
        Arc::new(InProcessBus::new()),
        pepper,
    )
}

fn providers(
    base_urls: &BTreeMap<ProviderId, String>,
    catalogue: &Arc<Catalogue>,
) -> anyhow::Result<Arc<Providers>> {
    let settings = slipstream_providers::Settings {
        base_urls: base_urls.clone(),
        ..slipstream_providers::Settings::default()
    };
    let providers = Providers::new(&settings, catalogue, Arc::new(rand::random::<f64>));
    Ok(Arc::new(providers.context("the settings of the providers cannot work")?))
}
