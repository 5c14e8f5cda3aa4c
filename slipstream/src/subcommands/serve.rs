//! `slipstream serve`: the service, as one process.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use slipstream_vault::Vault;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::database::{Database, DatabaseOptions, Place};
use crate::lifecycle::{Lifecycle, StopSignals};
use crate::output::Output;
use crate::reload::Reload;
use crate::role::Role;
use crate::secrets;
use crate::sign_in::SignIn;
use crate::signatures;
use crate::telemetry;
use crate::usage::Usage;
use crate::wiring;

/// Connections to PostgreSQL: enough for the log's one writer, the projections and many short reads, and well below the
/// private server's limit.
pub(crate) const CONNECTIONS: u32 = 24;

/// How long a stage may take to drain beyond what it lets go on.
const WRITING_DOWN: Duration = Duration::from_secs(12);

/// How to serve.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeOptions {
    /// What this process does, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLES", default_values = ["gateway", "worker", "projector"])]
    roles: Vec<Role>,
    /// The address to listen on. Otherwise the setting `server.listen`, which is 127.0.0.1:4000 by default.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ABOUT: &str = "\
Run the service, or some roles of it.

The gateway talks to clients, the worker makes replies, the projector fills the read models. One process does all of it
with PostgreSQL alone. Any number of processes, each with any of the roles, make one service when they are given the same
PostgreSQL (database.url), NATS with JetStream (nats.servers), Redis (redis.url) and provider keys. Stopped with SIGTERM, a
gateway closes its sockets so that clients come back elsewhere, and a worker lets its replies finish for a while and hands
the rest back. Every process answers /livez, /readyz and /metrics.

People sign in with a session's token or a ticket (auth.methods). A web front end opens sessions by POST /v1/sessions with
auth.service_token, an operator by `slipstream users session`. For development ?email= can be taken at its word, from this
machine only, by its own name and without a proxy between: auth.development_email = true.";

const EXAMPLES: &str = "\
Examples:
  SLIPSTREAM_AUTH__DEVELOPMENT_EMAIL=true slipstream serve
  DATABASE_URL=postgres://… EMAIL_PEPPER=… ENCRYPTION_KEY=… slipstream serve --config /etc/slipstream.toml
  NATS_URL=nats://… REDIS_URL=redis://… slipstream serve --roles worker --listen 127.0.0.1:4001";

/// What is to be run.
pub(crate) struct Service {
    pub(crate) listen: SocketAddr,
    pub(crate) roles: BTreeSet<Role>,
    /// Whether `?email=` is taken at its word from this machine.
    pub(crate) development_email: bool,
    pub(crate) database: DatabaseOptions,
}

/// Runs until it is told to stop.
///
/// # Errors
/// Roles that cannot run without others; a gateway without a way to sign in; then as [`start`].
pub(crate) async fn run(config: Config, options: ServeOptions) -> anyhow::Result<ExitCode> {
    let roles: BTreeSet<Role> = options.roles.into_iter().collect();
    if config.cluster.is_none() {
        Role::check_alone(&roles).map_err(Usage)?;
    }
    if roles.contains(&Role::Gateway) && config.methods.is_empty() && !config.development_email {
        return Err(Usage(NO_SIGN_IN.to_owned()).into());
    }
    let listen = options.listen.unwrap_or(config.listen);
    let development_email = config.development_email;
    start(config, Service { listen, roles, development_email, database: options.database }).await
}

const NO_SIGN_IN: &str = "nobody could sign in: auth.methods is empty. Leave it unset for its default, or set \
    auth.development_email = true (SLIPSTREAM_AUTH__DEVELOPMENT_EMAIL=true) to take ?email= at its word from this machine only";

/// Starts a service and runs it until it is told to stop.
///
/// # Errors
/// The port or the data folder is in use, PostgreSQL cannot be started, a migration or a setting is wrong; later only
/// that PostgreSQL ended by itself.
pub(crate) async fn start(config: Config, service: Service) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::listen()?;
    let vendors = wiring::Vendors::new(&config).map_err(|error| Usage(format!("{error:#}")))?;
    let listener = bind(service.listen).await?;
    let place = Place::of(&config, &service.database)?;
    // Before anything is done to a server.
    secrets::check(&config, &place)?;
    let mut database = match &config.cluster {
        None => Database::own(&config, &place, CONNECTIONS).await?,
        Some(_) => Database::share(&place, CONNECTIONS).await?,
    };
    let served = serve(&config, &place, &service, vendors, &mut database, listener, &mut stop).await;
    let closed = database.close().await;
    let code = served?;
    closed?;
    Ok(code)
}

async fn serve(
    config: &Config,
    place: &Place,
    service: &Service,
    vendors: wiring::Vendors,
    database: &mut Database,
    listener: TcpListener,
    stop: &mut StopSignals,
) -> anyhow::Result<ExitCode> {
    slipstream_eventlog::migrate(&database.pool).await.context("the schema cannot be brought up to date")?;
    let address = listener.local_addr()?;
    let life = Lifecycle::default();
    let reload = Reload::of(config, vendors.clone());
    let parts = wiring::Parts {
        pool: database.pool.clone(),
        pepper: secrets::pepper(config, place)?,
        vault: Vault::open(database.pool.clone(), secrets::master_keys(config, place)?).await?,
        vendors,
        gateway: config.gateway.clone(),
        sign_in: SignIn {
            methods: config.methods.clone(),
            service_token: config.service_token.clone(),
            development_email: service.development_email,
            allowed_origins: config.gateway.allowed_origins.clone(),
        },
        cluster: config.cluster.clone(),
        files: config.files.clone(),
        data_dir: config.data_dir.clone(),
        worker: config.worker(),
        free_messages_per_day: config.free_messages_per_day(),
        signing: signing(config, &life)?,
        metrics: telemetry::collect_metrics()?,
    };
    wiring::start(&service.roles, parts, listener, &life).await?;
    if let Some(reload) = reload {
        life.front.tasks.spawn(reload.start(life.front.drain.clone())?);
    }
    say_where(address, service)?;
    let ended = tokio::select! {
        () = stop.next() => Ok(()),
        lost = database.lost() => Err(lost),
    };
    tracing::info!("stopping; a second signal stops at once");
    // What is under way has its own limits; what is left is for writing down what has ended.
    let limit = config.worker().grace + config.gateway.drain + WRITING_DOWN;
    let clean = life.drain(limit, stop.next()).await;
    match ended {
        Ok(()) if clean => Ok(ExitCode::SUCCESS),
        Ok(()) => bail!("stopped before everything had drained"),
        Err(lost) => Err(lost),
    }
}

fn signing(config: &Config, life: &Lifecycle) -> anyhow::Result<Option<wiring::Signing>> {
    let Some(key) = signatures::signing_key(config)? else { return Ok(None) };
    Ok(Some(wiring::Signing { key, stores: signatures::stores(config, &life.connections.tasks)? }))
}

fn say_where(address: SocketAddr, service: &Service) -> std::io::Result<()> {
    let mut output = Output::open();
    output.line(format_args!("listening on http://{address}"))?;
    if service.roles.contains(&Role::Gateway) {
        if service.development_email {
            output.line(format_args!(
                "  chat: ws://{address}/?email=you@example.com (from this machine only)"
            ))?;
        } else {
            output.line(format_args!(
                "  chat: ws://{address}/?ticket=… (POST /v1/tickets), or with a session's token"
            ))?;
        }
    }
    output.flush()
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}; choose another address with --listen"))
}
