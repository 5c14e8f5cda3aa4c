//! One process's worth of everything, on a database of its own, for the life of one schedule.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use slipstream_commands::ports::Ids;
use slipstream_commands::{AttachmentSettings, Attachments, Commands, Dispatcher, EmailPepper, upcasters};
use slipstream_domain::{GenerationId, ModelId, Part, ProviderId, WorkerId};
use slipstream_eventlog::{EventLog, LogOptions};
use slipstream_gateway::{
    Catalogue, DevelopmentEmail, Gateway, GatewayDeps, Models, Probes, Settings, UnknownName,
};
use slipstream_local::{EnvironmentKeys, FileBlobs, SystemClock, UrlSigner, UuidV7Ids};
use slipstream_projections::{ReadModels, Runner, generation_log};
use slipstream_providers::Providers;
use slipstream_testkit::TestDatabase;
use slipstream_workers::{WorkerDeps, Workers};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::device::{self, Ended};
use crate::faults::{FrailState, LossyBus, RepeatingQueue};
use crate::schedule::{Break, Schedule};

/// How long a tier stays down.
const OUTAGE: Duration = Duration::from_millis(300);

struct World {
    app: Commands,
    bus: Arc<LossyBus>,
    state: Arc<FrailState>,
    queue: Arc<RepeatingQueue>,
    catalogue: Arc<slipstream_providers::Catalogue>,
    providers: Arc<Providers>,
    gateway: watch::Sender<SocketAddr>,
    /// Files, which nobody sends here.
    files: TempDir,
    tasks: TaskTracker,
    drain: CancellationToken,
    log_drain: CancellationToken,
    /// Of the gateway and of the projectors that run now.
    serving: CancellationToken,
    projecting: CancellationToken,
}

/// Lives through a schedule; says what is wrong at its end.
pub(crate) async fn live(schedule: &Schedule) -> Result<(), String> {
    let database = TestDatabase::create().await;
    let mut world = World::begin(&database, schedule.seed).await;
    let addresses = world.gateway.subscribe();
    let conversations = schedule.conversations.iter().enumerate();
    let devices = join_all(conversations.map(|(n, it)| device::converse(n, it, addresses.clone())));
    let (ended, ()) = tokio::join!(devices, world.breaks(schedule));
    let mut wrong = Vec::new();
    for (n, ended) in ended.into_iter().enumerate() {
        let checked = match ended {
            Ok(ended) => world.agrees(&ended).await,
            Err(what) => Err(what),
        };
        wrong.extend(checked.err().map(|what| format!("conversation {n}: {what}")));
    }
    world.end().await;
    database.drop().await;
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

impl World {
    async fn begin(database: &TestDatabase, seed: u64) -> Self {
        let (tasks, log_drain) = (TaskTracker::new(), CancellationToken::new());
        let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
        let log = EventLog::start(database.pool().clone(), options, &tasks, log_drain.clone());
        let bus = Arc::new(LossyBus::new(seed));
        let app = Commands::new(
            log,
            Arc::new(SystemClock::new()),
            Arc::new(UuidV7Ids::new()),
            Arc::new(EnvironmentKeys::default()),
            bus.clone(),
            EmailPepper::new("pepper".into()),
        );
        let catalogue = Arc::new(slipstream_providers::Catalogue::shipped().unwrap());
        let settings = slipstream_providers::Settings::default();
        let providers = Providers::new(&settings, &catalogue, Arc::new(|| 0.0)).unwrap();
        let mut world = Self {
            app,
            bus,
            state: Arc::new(FrailState::new()),
            queue: Arc::new(RepeatingQueue::new(seed)),
            catalogue,
            providers: Arc::new(providers),
            gateway: watch::Sender::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            files: tempfile::tempdir().unwrap(),
            tasks,
            drain: CancellationToken::new(),
            log_drain,
            serving: CancellationToken::new(),
            projecting: CancellationToken::new(),
        };
        world.project();
        world.serve().await;
        // Two, so that a job delivered twice is in two workers' hands.
        for _ in 0..2 {
            world.worker().start(&world.tasks, world.drain.clone());
        }
        let dispatcher = Dispatcher::new(world.app.clone(), world.queue.clone());
        world.tasks.spawn(dispatcher.run(world.drain.clone()));
        world
    }

    async fn breaks(&mut self, schedule: &Schedule) {
        for (pause, what) in &schedule.breaks {
            tokio::time::sleep(*pause).await;
            match what {
                Break::Takeover => {
                    let worker = self.worker();
                    worker.start(&self.tasks, self.drain.clone());
                    worker.settle_all_now(&self.tasks).await.unwrap();
                }
                Break::Flush => self.state.flush(),
                Break::StateDown => for_a_while(&self.state.down).await,
                Break::StateLags => for_a_while(&self.state.lagging).await,
                Break::BusDown => for_a_while(&self.bus.down).await,
                Break::GatewayRestart => self.serve().await,
                Break::ProjectorsDown => {
                    self.projecting.cancel();
                    tokio::time::sleep(OUTAGE).await;
                    self.project();
                }
            }
        }
    }

    fn worker(&self) -> Workers {
        Workers::new(WorkerDeps {
            app: self.app.clone(),
            queue: self.queue.clone(),
            stream_state: self.state.clone(),
            read_models: ReadModels::new(self.app.log().clone()),
            providers: self.providers.clone(),
            catalogue: self.catalogue.clone(),
            files: None,
            pictures: None,
            worker: WorkerId::from_uuid(UuidV7Ids::new().uuid()),
            settings: slipstream_workers::Settings {
                grace: Duration::ZERO,
                titles: false,
                ..Default::default()
            },
        })
    }

    fn project(&mut self) {
        self.projecting = CancellationToken::new();
        // Always the same owner, so that its lease is its own again at once.
        Runner::new(self.app.log().clone(), Uuid::nil()).start(&self.tasks, self.projecting.clone());
    }

    /// Starts a gateway in place of the one that serves.
    async fn serve(&mut self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let public = format!("http://{address}").parse().unwrap();
        let urls = Arc::new(UrlSigner::new(public, &[1; 32], Arc::new(SystemClock::new())));
        let blobs = FileBlobs::open(self.files.path().to_owned(), urls.clone()).unwrap();
        let gateway = Gateway::new(GatewayDeps {
            app: self.app.clone(),
            files: Attachments::new(self.app.clone(), Arc::new(blobs), AttachmentSettings::default()),
            blob_urls: Some(urls),
            read_models: ReadModels::new(self.app.log().clone()),
            stream_state: self.state.clone(),
            catalogue: Arc::new(Simulated(self.catalogue.clone())),
            authenticate: Arc::new(DevelopmentEmail::new(self.app.clone())),
            accounts: None,
            ids: Arc::new(UuidV7Ids::new()),
            settings: Settings {
                goodbye: Duration::from_millis(100),
                drain: Duration::ZERO,
                transcript_patience: Duration::from_millis(100),
                look_every: Duration::from_secs(2),
                ..Settings::default()
            },
            probes: Probes { checks: Arc::new([]), render_metrics: Arc::new(String::new) },
        });
        let serving = CancellationToken::new();
        let served = gateway.serve(listener, self.tasks.clone(), serving.clone());
        self.tasks.spawn(async move { served.await.expect("the gateway serves") });
        self.gateway.send_replace(address);
        std::mem::replace(&mut self.serving, serving).cancel();
    }

    /// Whether what the devices have is what the log has.
    async fn agrees(&self, ended: &Ended) -> Result<(), String> {
        for (generation, texts) in &ended.texts {
            let id: GenerationId = generation.parse().map_err(|_| format!("{generation} is no id"))?;
            let told = generation_log(self.app.log(), id).await.map_err(|error| error.to_string())?;
            if told.terminal.is_none() {
                return Err(format!("{generation} has not ended in the log"));
            }
            let of_log = |part: Part| -> String {
                let runs = told.outputs.iter().map(|output| &output.run);
                runs.filter(|run| run.part == part).map(|run| run.text.as_str()).collect()
            };
            let (text, thinking) = (of_log(Part::Text), of_log(Part::Thinking));
            for (device, seen) in texts.iter().enumerate() {
                if (&seen.text, &seen.thinking) != (&text, &thinking) {
                    return Err(format!(
                        "device {device} has {seen:?} of {generation}, the log {text:?}, {thinking:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    async fn end(self) {
        self.serving.cancel();
        self.drain.cancel();
        self.projecting.cancel();
        self.tasks.close();
        // The log's own tasks end after everybody who writes.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.log_drain.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.tasks.wait()).await.expect("every task ends");
    }
}

async fn for_a_while(this: &AtomicBool) {
    this.store(true, Ordering::Relaxed);
    tokio::time::sleep(OUTAGE).await;
    this.store(false, Ordering::Relaxed);
}

/// Every request goes to the simulated provider.
struct Simulated(Arc<slipstream_providers::Catalogue>);

impl Catalogue for Simulated {
    fn resolve(&self, _: &str, _: Option<&str>) -> Result<(ProviderId, ModelId), UnknownName> {
        let provider = ProviderId::parse("simulated").unwrap();
        let model = self.0.default_model(&provider).unwrap().id.clone();
        Ok((provider, model))
    }

    fn resolve_picture_model(&self, model: &str) -> Result<(ProviderId, ModelId), UnknownName> {
        self.resolve("simulated", Some(model))
    }

    fn models(&self) -> Models {
        let catalogue_version = self.0.version().to_owned();
        let default_provider = ProviderId::parse("simulated").unwrap();
        Models { catalogue_version, default_provider, providers: Vec::new() }
    }
}
