//! A gateway on a database of its own, with everything around it but workers: those are played by the test.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipstream_commands::ports::{LiveBus, Web};
use slipstream_commands::{AttachmentSettings, Attachments, Commands, EmailPepper, upcasters};
use slipstream_domain::event::GenerationEvent;
use slipstream_domain::{Event, GenerationId, ModelId, ProviderId};
use slipstream_eventlog::{EventLog, LogOptions, StreamId, Version};
use slipstream_gateway::{
    Authenticate, AuthenticationError, Caller, Catalogue, Check, DevelopmentEmail, Gateway, GatewayDeps,
    Handshake, ModelInfo, Models, Probes, ProviderModels, Serving, Settings, UnknownName,
};
use slipstream_local::{EnvironmentKeys, InProcessBus, InProcessStreamState, SystemClock, UuidV7Ids};
use slipstream_projections::{Follow, ReadModels, Runner, StreamState, follow};
use slipstream_testkit::{TestDatabase, file_store_at};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::client::Client;
use crate::owner::Owner;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Everything around a test's sockets.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Serving,
    pub(crate) app: Commands,
    pub(crate) files: Attachments,
    pub(crate) bus: Arc<dyn LiveBus>,
    pub(crate) state: Arc<dyn StreamState>,
    pub(crate) drain: CancellationToken,
    requested: Mutex<Follow>,
    projecting: CancellationToken,
    tasks: TaskTracker,
    log_drain: CancellationToken,
    db: TestDatabase,
    _files: TempDir,
}

/// How a test's world differs from the usual one.
pub(crate) struct Twist {
    pub(crate) settings: Settings,
    /// Authentication takes this long.
    pub(crate) slow_authentication: Duration,
    /// Added to the checks of `/readyz`.
    pub(crate) checks: Vec<Check>,
    /// The operator has a key for `openai`, and lets each user have so many messages a day.
    pub(crate) free_messages: Option<NonZeroU32>,
    /// Where files are fetched from.
    pub(crate) web: Option<Arc<dyn Web>>,
}

impl Default for Twist {
    /// Clients that a test has done with do not answer a close: they are not waited for.
    fn default() -> Self {
        let settings = Settings {
            goodbye: Duration::from_millis(100),
            drain: Duration::from_millis(100),
            ..Settings::default()
        };
        let slow_authentication = Duration::ZERO;
        Self { settings, slow_authentication, checks: Vec::new(), free_messages: None, web: None }
    }
}

fn commands(log: &EventLog, bus: &Arc<dyn LiveBus>, free_messages: Option<NonZeroU32>) -> Commands {
    let openai = ProviderId::parse("openai").unwrap();
    let keys = free_messages.map(|_| (openai, "sk-1".into()));
    Commands::new(
        log.clone(),
        Arc::new(SystemClock::new()),
        Arc::new(UuidV7Ids::new()),
        Arc::new(EnvironmentKeys::new(keys.into_iter().collect(), BTreeSet::new())),
        bus.clone(),
        EmailPepper::new("pepper".into()),
    )
    .with_free_messages_per_day(free_messages)
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Twist::default()).await
    }

    pub(crate) async fn with(twist: Twist) -> Self {
        let db = TestDatabase::create().await;
        let (tasks, drain, log_drain) =
            (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let options = LogOptions { upcasters: upcasters(), ..LogOptions::default() };
        let log = EventLog::start(db.pool().clone(), options, &tasks, log_drain.clone());
        let bus: Arc<dyn LiveBus> = Arc::new(InProcessBus::new());
        let state: Arc<dyn StreamState> = Arc::new(InProcessStreamState::new());
        let app = commands(&log, &bus, twist.free_messages);
        let projecting = drain.child_token();
        Runner::new(log.clone(), Uuid::now_v7()).start(&tasks, projecting.clone());
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let authenticate =
            SlowDoor { door: DevelopmentEmail::new(app.clone()), takes: twist.slow_authentication };
        let folder = tempfile::tempdir().unwrap();
        let (blobs, urls) = file_store_at(folder.path(), &format!("http://{address}"));
        let mut files = Attachments::new(app.clone(), blobs, AttachmentSettings::default());
        if let Some(web) = twist.web {
            files = files.with_web(web);
        }
        let gateway = Gateway::new(GatewayDeps {
            app: app.clone(),
            files: files.clone(),
            blob_urls: Some(urls),
            read_models: ReadModels::new(log.clone()),
            stream_state: state.clone(),
            catalogue: Arc::new(TwoModels),
            authenticate: Arc::new(authenticate),
            accounts: None,
            ids: Arc::new(UuidV7Ids::new()),
            settings: twist.settings,
            probes: Probes {
                checks: twist.checks.into(),
                render_metrics: Arc::new(|| "slipstream_up 1\n".to_owned()),
            },
        });
        let requested = Mutex::new(follow(&log, log.head().await.unwrap().position));
        let gateway = gateway.start(tasks.clone(), drain.clone()).await.expect("the gateway starts");
        tasks.spawn(gateway.clone().serve(listener));
        Self {
            address,
            gateway,
            app,
            files,
            bus,
            state,
            drain,
            requested,
            projecting,
            tasks,
            log_drain,
            db,
            _files: folder,
        }
    }

    /// A new conversation of a v1 client's, with a whole exchange; its id.
    pub(crate) async fn exchange(&self, client: &mut Client) -> String {
        client.ask("new-chat", "hello there").await;
        let ack = client.until("caught_up").await.into_iter().next().unwrap();
        let mut owner = self.worker().await;
        owner.say("hi").await;
        owner.complete().await;
        client.until("reply:recorded").await;
        ack["conversationId"].as_str().unwrap().to_owned()
    }

    /// A client of the user with this address.
    pub(crate) async fn client(&self, email: &str) -> Client {
        Client::connect(self.address, email, "tests").await
    }

    /// A v1 client of the user with this address.
    pub(crate) async fn v1(&self, email: &str) -> Client {
        Client::v1(self.address, email).await
    }

    /// The same over a pipe within the process.
    pub(crate) async fn piped(&self, email: &str) -> Client {
        let (ours, theirs) = tokio::io::duplex(4096);
        let gateway = self.gateway.clone();
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        self.tasks.spawn(async move { gateway.connection(theirs, peer).await });
        let headers = [("Sec-WebSocket-Protocol", "slipstream.v1")];
        Client::over(Box::new(ours), &format!("/?email={email}"), &headers).await
    }

    /// The next reply that is asked for, in the hands of a worker that does what the test says.
    pub(crate) async fn worker(&self) -> Owner {
        Owner::open(self, self.requested().await).await
    }

    /// The next reply that is asked for; no worker has it.
    pub(crate) async fn requested(&self) -> GenerationId {
        let mut log = self.requested.lock().await;
        let requested = async {
            loop {
                for event in log.next().await.unwrap() {
                    let event = event.unwrap();
                    if let Event::Generation(GenerationEvent::GenerationRequested(_)) = event.event {
                        return GenerationId::from_uuid(event.stream);
                    }
                }
            }
        };
        timeout(PATIENCE, requested).await.expect("a reply is asked for")
    }

    /// Another user with a reply under way, who must not notice what the test does.
    pub(crate) async fn bystander(&self) -> Bystander {
        let mut client = self.client("bystander@example.com").await;
        client.ask("new-chat", "tell me a long story").await;
        let mut owner = self.worker().await;
        owner.say("Once").await;
        client.until_chunk("Once").await;
        Bystander { client, owner }
    }

    /// The names of a stream's events.
    pub(crate) async fn events(&self, stream: Uuid) -> Vec<String> {
        let stream = StreamId::from_uuid(stream);
        let events = self.app.log().read_stream(stream, Version::NONE).await.unwrap();
        events.iter().map(|event| event.event_type.to_string()).collect()
    }

    /// The read models stand still from now on.
    pub(crate) fn stop_projecting(&self) {
        self.projecting.cancel();
    }

    /// Ends the world in order.
    pub(crate) async fn end(self) {
        self.drain.cancel();
        self.tasks.close();
        // The log's own tasks end after everybody who writes.
        self.log_drain.cancel();
        timeout(PATIENCE, self.tasks.wait()).await.expect("every task ends at the drain");
        drop((self.app, self.files, self.requested, self.gateway));
        self.db.drop().await;
    }
}

/// Another user with a reply under way.
pub(crate) struct Bystander {
    client: Client,
    owner: Owner,
}

impl Bystander {
    /// Their reply.
    pub(crate) fn generation(&self) -> GenerationId {
        self.owner.id()
    }

    /// The reply goes on and ends as if nothing had happened.
    pub(crate) async fn noticed_nothing(mut self) {
        self.owner.say(" upon a time.").await;
        self.client.until_chunk(" upon a time.").await;
        self.owner.complete().await;
        let end = self.client.next_of("ai_chat_response").await;
        assert_eq!(end["chunk"], "Once upon a time.");
    }
}

struct TwoModels;

impl Catalogue for TwoModels {
    fn resolve(&self, provider: &str, model: Option<&str>) -> Result<(ProviderId, ModelId), UnknownName> {
        let default = match provider {
            "openai" => "gpt-5-nano",
            "simulated" => "simulated-1",
            _ => {
                return Err(UnknownName {
                    field: "provider",
                    message: "provider must be openai or simulated".into(),
                });
            }
        };
        match model {
            Some(model) if model != default => {
                Err(UnknownName { field: "model", message: format!("model must be {default}") })
            }
            _ => Ok((ProviderId::parse(provider).unwrap(), ModelId::parse(default).unwrap())),
        }
    }

    fn resolve_picture_model(&self, model: &str) -> Result<(ProviderId, ModelId), UnknownName> {
        match model {
            "gpt-image-1" => Ok((ProviderId::parse("openai").unwrap(), ModelId::parse(model).unwrap())),
            _ => Err(UnknownName { field: "model", message: "model must be gpt-image-1".into() }),
        }
    }

    fn models(&self) -> Models {
        let provider = |id: &str, model: &str, usable| ProviderModels {
            id: ProviderId::parse(id).unwrap(),
            name: id.to_uppercase(),
            usable,
            default_model: ModelId::parse(model).unwrap(),
            models: vec![ModelInfo {
                id: ModelId::parse(model).unwrap(),
                name: model.to_uppercase(),
                capabilities: vec!["chat"],
                context: None,
                max_output: Some(7),
                price: None,
            }],
        };
        Models {
            catalogue_version: "tests".into(),
            default_provider: ProviderId::parse("openai").unwrap(),
            providers: vec![
                provider("openai", "gpt-5-nano", false),
                provider("simulated", "simulated-1", true),
            ],
        }
    }
}

struct SlowDoor {
    door: DevelopmentEmail,
    takes: Duration,
}

#[async_trait]
impl Authenticate for SlowDoor {
    async fn authenticate(&self, handshake: &Handshake) -> Result<Caller, AuthenticationError> {
        tokio::time::sleep(self.takes).await;
        self.door.authenticate(handshake).await
    }
}
