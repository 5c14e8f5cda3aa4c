//! Puts the parts together. The one file that knows every adapter; reads from the log up to the clients.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use slipstream_commands::ports::{BlobUrls, Clock, Ids, JobQueue, Signatures};
use slipstream_commands::{Attachments, Commands, Dispatcher, EmailPepper, LogSigner, upcasters};
use slipstream_domain::WorkerId;
use slipstream_eventlog::{EventLog, LogOptions, SigningKey, while_leased};
use slipstream_gateway::{Accounts, Authenticate, Gateway, GatewayDeps, Probes, serve_probes};
use slipstream_local::{EnvironmentKeys, SystemClock, UuidV7Ids};
use slipstream_projections::{ReadModels, Runner, StreamState, watch_lag};
use slipstream_providers::{Catalogue, Providers};
use slipstream_vault::{OwnKeysFirst, Vault};
use slipstream_web::{HttpWeb, Reach, SystemResolver, WebSettings};
use slipstream_workers::{Patience, Reaper, WorkerDeps, Workers};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalogue::Names;
use crate::config::{Cluster, Config, ConfigError, Files};
use crate::files::{self, Store};
use crate::lifecycle::Lifecycle;
use crate::ports::Ports;
use crate::readiness;
use crate::role::Role;
use crate::sign_in::SignIn;
use crate::subcommands::read_document::DocumentProcess;
use crate::telemetry::{Metrics, traceparent};

/// What a process is made from.
pub(crate) struct Parts {
    pub(crate) pool: PgPool,
    /// What it shares with others; `None` when it is the only one.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) pepper: EmailPepper,
    /// Where files go, and the data folder, below which they go when no setting says it.
    pub(crate) files: Files,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) vault: Vault,
    pub(crate) vendors: Vendors,
    pub(crate) gateway: slipstream_gateway::Settings,
    pub(crate) sign_in: SignIn,
    pub(crate) worker: slipstream_workers::Settings,
    /// Messages a day and user on the operator's keys; `None` is no limit.
    pub(crate) free_messages_per_day: Option<NonZeroU32>,
    pub(crate) signing: Option<Signing>,
    pub(crate) metrics: Metrics,
}

/// What signs the log, and where the signatures go.
pub(crate) struct Signing {
    pub(crate) key: SigningKey,
    pub(crate) stores: Vec<Arc<dyn Signatures>>,
}

/// Whom to ask, and with which keys. Cheap to clone; clones share the keys.
#[derive(Clone)]
pub(crate) struct Vendors {
    catalogue: Arc<Catalogue>,
    providers: Arc<Providers>,
    keys: Arc<EnvironmentKeys>,
}

impl Vendors {
    /// Settings of a vendor this version cannot speak to are left out, with a warning: the simulated provider answers for
    /// it as if it had none.
    ///
    /// # Errors
    /// A catalogue that cannot be used, a base URL that is none; a fallback that is no chat model.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let catalogue = Arc::new(config.catalogue()?);
        for (provider, fallback) in &config.fallbacks {
            let known = catalogue.chat_model(&fallback.provider, Some(&fallback.model));
            known.with_context(|| format!("providers.{provider}.fallback cannot answer"))?;
        }
        let settings = slipstream_providers::Settings {
            base_urls: config.base_urls.clone(),
            http: config.http,
            traceparent: Some(traceparent),
            ..slipstream_providers::Settings::default()
        };
        let providers = Providers::new(&settings, &catalogue, Arc::new(rand::random::<f64>))
            .context("the settings of the providers cannot work")?;
        let vendors = Self { catalogue, providers: Arc::new(providers), keys: Arc::default() };
        vendors.take_keys(config)?;
        Ok(vendors)
    }

    /// The operator's keys are those of these settings from now on.
    ///
    /// # Errors
    /// A variable that is not UTF-8.
    pub(crate) fn take_keys(&self, config: &Config) -> Result<(), ConfigError> {
        let mut keys = config.keys(&self.catalogue)?;
        let mut base_urls = config.base_urls.clone();
        let all = keys.keys().chain(base_urls.keys());
        let mute: BTreeSet<_> = all.filter(|id| self.providers.get(id).is_none()).cloned().collect();
        for provider in mute {
            tracing::warn!(%provider, "this version cannot speak to it yet; its settings are not used");
            keys.remove(&provider);
            base_urls.remove(&provider);
        }
        // Reached at a base URL that brings its own key: a proxy.
        let keyless = base_urls.into_keys().filter(|id| !keys.contains_key(id)).collect();
        self.keys.replace(keys, keyless);
        Ok(())
    }
}

/// What the roles of a process share.
struct Shared {
    log: EventLog,
    app: Commands,
    read_models: ReadModels,
    queue: Arc<dyn JobQueue>,
    stream_state: Arc<dyn StreamState>,
    catalogue: Arc<Catalogue>,
    ids: Arc<dyn Ids>,
    /// Names this process in leases.
    process: Uuid,
}

/// Starts the roles in one process, on a migrated database: one that this process owns when it is the only one, so that
/// what is unfinished there has lost its owner.
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
    let Vendors { catalogue, providers, keys: operators_keys } = parts.vendors;
    let alone = parts.cluster.is_none();
    let adapters = match &parts.cluster {
        None => Ports::in_process(),
        Some(cluster) => Ports::shared(cluster, life).await?,
    };
    let options = LogOptions {
        key_ring: Arc::new(parts.vault.key_ring()),
        hints: adapters.hints,
        upcasters: upcasters(),
    };
    let log = EventLog::start(parts.pool.clone(), options, &life.log.tasks, life.log.drain.clone());
    let mut checks = readiness::checks(parts.pool, log.clone());
    checks.extend(adapters.checks);
    let metrics = parts.metrics.clone();
    let probes = Probes { checks: checks.into(), render_metrics: Arc::new(move || metrics.render()) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let keys = Arc::new(OwnKeysFirst::new(parts.vault.provider_keys(), operators_keys));
    let (clock_of_app, ids_of_app) = (Arc::clone(&clock), Arc::clone(&ids));
    let app = Commands::new(log.clone(), clock_of_app, ids_of_app, keys, adapters.bus, parts.pepper);
    let shared = Shared {
        app: app.with_free_messages_per_day(parts.free_messages_per_day),
        read_models: ReadModels::new(log.clone()),
        queue: adapters.queue,
        stream_state: adapters.stream_state,
        log,
        catalogue,
        // Always the same name for the only process: a start after a crash has its leases back at once.
        process: if alone { Uuid::nil() } else { ids.uuid() },
        ids,
    };
    life.log.tasks.spawn(parts.metrics.sort(life.log.drain.clone()));
    let (data_dir, address) = (parts.data_dir.as_deref(), listener.local_addr()?);
    if roles.contains(&Role::Projector) {
        projector(&shared, life);
    }
    // A projector has no use for files, and may have no place for them; the others of a process share one store.
    if roles.contains(&Role::Worker) || roles.contains(&Role::Gateway) {
        let store = files::open(&parts.files, data_dir, address, clock, &life.log.tasks)?;
        let (files, urls) = attachments(&shared, store, parts.files.reach.clone())?;
        if roles.contains(&Role::Worker) {
            worker(&shared, Arc::clone(&providers), files.clone(), parts.worker, alone, life).await?;
            upkeep(&shared, files.clone(), parts.files.patience, parts.signing, life);
        }
        if roles.contains(&Role::Gateway) {
            let authenticate = parts.sign_in.authenticate(&shared.app, &parts.vault)?;
            let accounts = Some(parts.sign_in.accounts(&parts.vault, providers));
            let doors = Doors { authenticate, accounts, files, blob_urls: urls };
            gateway(shared, parts.gateway, doors, probes, listener, life);
            return Ok(());
        }
    }
    let (tasks, drain) = (life.front.tasks.clone(), life.front.drain.clone());
    let serving = async move { serve_probes(probes, &parts.gateway, listener, tasks, drain).await };
    life.front.tasks.spawn(serving);
    Ok(())
}

/// The files of conversations, and what serves their bytes when that is this process.
fn attachments(
    shared: &Shared,
    store: Store,
    reach: Reach,
) -> anyhow::Result<(Attachments, Option<Arc<dyn BlobUrls>>)> {
    let web = HttpWeb::new(reach, Arc::new(SystemResolver), WebSettings::default());
    let web = web.context("files cannot be fetched from the web")?;
    let documents = DocumentProcess::new().context("documents cannot be read")?;
    let files = Attachments::new(shared.app.clone(), store.blobs, store.settings)
        .with_web(Arc::new(web))
        .with_documents(Arc::new(documents));
    Ok((files, store.urls))
}

fn projector(shared: &Shared, life: &Lifecycle) {
    Runner::new(shared.log.clone(), shared.process)
        .start(&life.projections.tasks, life.projections.drain.clone());
    let app = shared.app.clone();
    let watched = watch_lag(shared.log.clone(), move || app.now(), life.projections.drain.clone());
    life.projections.tasks.spawn(watched);
}

async fn worker(
    shared: &Shared,
    providers: Arc<Providers>,
    files: Attachments,
    settings: slipstream_workers::Settings,
    alone: bool,
    life: &Lifecycle,
) -> anyhow::Result<()> {
    let workers = Workers::new(WorkerDeps {
        app: shared.app.clone(),
        queue: shared.queue.clone(),
        stream_state: shared.stream_state.clone(),
        read_models: shared.read_models.clone(),
        providers,
        catalogue: Arc::clone(&shared.catalogue),
        files: Some(files.clone()),
        pictures: Some(Arc::new(files)),
        worker: WorkerId::from_uuid(shared.ids.uuid()),
        settings,
    });
    if alone {
        let settled = workers.settle_all_now(&life.front.tasks).await?;
        if settled > 0 {
            tracing::info!(replies = settled, "settling what the last run left unfinished");
        }
    }
    workers.start(&life.front.tasks, life.front.drain.clone());
    let tasks = life.front.tasks.clone();
    one_at_a_time("sweeper", shared, life, move |stop| workers.clone().sweep(tasks.clone(), stop));
    let (app, queue) = (shared.app.clone(), shared.queue.clone());
    one_at_a_time("dispatcher", shared, life, move |stop| {
        Dispatcher::new(app.clone(), queue.clone()).run(stop)
    });
    Ok(())
}

/// Clears up behind files, and signs the log, for all processes.
fn upkeep(
    shared: &Shared,
    files: Attachments,
    patience: Patience,
    signing: Option<Signing>,
    life: &Lifecycle,
) {
    let reaper = Reaper::new(shared.app.clone(), files, shared.read_models.clone(), patience);
    one_at_a_time("reaper", shared, life, move |stop| reaper.clone().run(stop));
    if let Some(Signing { key, stores }) = signing {
        let signer = LogSigner::new(shared.app.clone(), Arc::new(key), stores);
        one_at_a_time("signer", shared, life, move |stop| signer.clone().run(stop));
    }
}

/// Work that any worker process can do, and one does for all.
fn one_at_a_time<W, D>(name: &'static str, shared: &Shared, life: &Lifecycle, work: W)
where
    W: FnMut(CancellationToken) -> D + Send + 'static,
    D: Future<Output = ()> + Send + 'static,
{
    let (pool, owner) = (shared.log.pool().clone(), shared.process.to_string());
    life.front.tasks.spawn(while_leased(pool, name, owner, life.front.drain.clone(), work));
}

/// Who is let in to the gateway, and what is carried in.
struct Doors {
    authenticate: Arc<dyn Authenticate>,
    accounts: Option<Accounts>,
    files: Attachments,
    blob_urls: Option<Arc<dyn BlobUrls>>,
}

fn gateway(
    shared: Shared,
    settings: slipstream_gateway::Settings,
    doors: Doors,
    probes: Probes,
    listener: TcpListener,
    life: &Lifecycle,
) {
    let gateway = Gateway::new(GatewayDeps {
        files: doors.files,
        blob_urls: doors.blob_urls,
        authenticate: doors.authenticate,
        accounts: doors.accounts,
        app: shared.app,
        read_models: shared.read_models,
        stream_state: shared.stream_state,
        catalogue: Arc::new(Names(shared.catalogue)),
        ids: shared.ids,
        settings,
        probes,
    });
    let serving = gateway.serve(listener, life.front.tasks.clone(), life.front.drain.clone());
    life.front.tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(error = &error as &dyn std::error::Error, "the gateway has stopped");
        }
    });
}
