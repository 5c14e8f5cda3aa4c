//! A local HTTP server that speaks as all vendors do, from golden files cut at any byte.
//!
//! Owns sockets, cuts, pauses and the record of what was asked. What a vendor accepts and how it refuses is in the
//! vendor's module; which bytes it answers is in the golden files.
//!
//! Which vendor is meant: the first folder of the path (`/grok/v1/responses`), else what only one vendor has: the method
//! (`/v1/messages`, `:streamGenerateContent`) or the name of the model (`grok-4`, `Llama-…`, `v0-…`). So every
//! `…_BASE_URL` may be the server's address as it is, or with the vendor's name behind it.
//!
//! Golden files: one folder a vendor. `<name>.sse` is the body of a stream of events. `<name>.http` is a whole response (status line,
//! headers, blank line, body); its header `x-replay-end` is not sent, but says how it ends: `cut` drops the connection
//! in mid-body, `silence` sends nothing more and keeps it open, anything else ends it properly.
//!
//! Which file answers a request, first match wins: the script ([`ReplayServer::script`]), the request's header
//! `x-replay-golden`, `[[golden=name]]` in the last user message, a file named like the model, the default, `text`.

mod anthropic;
mod chat_completions;
mod connection;
mod cut;
mod gemini;
mod golden;
mod request;
mod responses;
mod vendor;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use cut::{Cut, CutError};
pub use request::{Outcome, RecordedRequest};

use golden::{Golden, GoldenFiles};
use vendor::Vendor;

/// How to replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder with a folder of golden files for each vendor.
    pub golden: PathBuf,
    /// How bodies are cut.
    pub cut: Cut,
    /// The pause after each piece.
    pub delay: Duration,
    /// The golden that answers a request which names none, where its vendor has it.
    pub default: String,
}

impl ReplayOptions {
    /// The goldens of this source tree, on a free port of the loopback, uncut and without pauses.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            golden: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../providers/tests/golden")),
            cut: Cut::Whole,
            delay: Duration::ZERO,
            default: "thinking".to_owned(),
        }
    }
}

/// A running server. Dropping it closes its connections; [`ReplayServer::stop`] also waits for them.
#[derive(Debug)]
pub struct ReplayServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    options: ReplayOptions,
    golden: BTreeMap<Vendor, GoldenFiles>,
    script: Mutex<VecDeque<String>>,
    requests: watch::Sender<Vec<RecordedRequest>>,
}

impl ReplayServer {
    /// Reads the golden files and listens.
    ///
    /// # Errors
    /// A folder or a file in it cannot be read or is malformed, no vendor has the default, or the address is taken.
    pub async fn start(options: ReplayOptions) -> io::Result<Self> {
        let read = |vendor: Vendor| Ok((vendor, GoldenFiles::read(&options.golden.join(vendor.name()))?));
        let golden: BTreeMap<_, _> = Vendor::ALL.into_iter().map(read).collect::<io::Result<_>>()?;
        if let Some(openai) = golden.get(&Vendor::OpenAi) {
            openai.get(&options.default)?;
        }
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let (requests, _) = watch::channel(Vec::new());
        let shared = Arc::new(Shared { options, golden, script: Mutex::default(), requests });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(accept(listener, Arc::clone(&shared), tasks.clone(), stop.clone()));
        Ok(Self { address, shared, tasks, stop })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL to give to an adapter, without a version path.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL at which it is one vendor, whatever the models are called: the vendor is the name of its folder.
    #[must_use]
    pub fn base_url_of(&self, vendor: &str) -> String {
        format!("{}/{vendor}", self.base_url())
    }

    /// Answers the next requests with these goldens, one each, whatever the requests say.
    pub fn script<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        self.shared.scripted().extend(names.into_iter().map(str::to_owned));
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests.borrow().clone()
    }

    /// Waits until the `n`th request (from 0) has an outcome.
    ///
    /// # Errors
    /// It takes longer than `within`.
    pub async fn outcome(&self, n: usize, within: Duration) -> io::Result<Outcome> {
        let mut requests = self.shared.requests.subscribe();
        let outcome = |all: &Vec<RecordedRequest>| all.get(n).and_then(|request| request.outcome);
        let settled = tokio::time::timeout(within, requests.wait_for(|all| outcome(all).is_some())).await;
        match settled {
            Ok(Ok(all)) => outcome(&all).ok_or_else(|| io::ErrorKind::NotFound.into()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Closes every connection and waits until all is quiet.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn scripted(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the request; returns its number.
    fn record(&self, request: RecordedRequest) -> usize {
        let mut number = 0;
        self.requests.send_modify(|all| {
            number = all.len();
            all.push(request);
        });
        number
    }

    fn settle(&self, number: usize, outcome: Outcome) {
        self.requests.send_modify(|all| all[number].outcome = Some(outcome));
    }

    /// The answer to a request: the vendor's refusal of a malformed one, else the golden it means.
    fn answer(&self, request: &mut RecordedRequest) -> Golden {
        let Some((vendor, path)) = Vendor::of(request) else {
            let message = format!("no vendor answers {} {}", request.method, request.path);
            return Golden::json(404, &serde_json::json!({ "error": { "message": message } }));
        };
        match vendor.check(request, &path) {
            Ok(()) => {}
            Err(answer) => return answer,
        }
        let Some(files) = self.golden.get(&vendor) else { return vendor.error(404, "there are no goldens") };
        let has = |name: &String| files.get(name).is_ok();
        let scripted = self.scripted().pop_front();
        let name = scripted
            .or_else(|| request.header("x-replay-golden").map(str::to_owned))
            .or_else(|| request.golden_in_prompt())
            .or_else(|| request.model().filter(has))
            .or_else(|| Some(self.options.default.clone()).filter(has))
            .unwrap_or_else(|| "text".to_owned());
        match files.get(&name) {
            Ok(golden) => {
                request.golden = Some(name);
                golden.clone()
            }
            Err(error) => vendor.error(404, &error.to_string()),
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // A connection that failed before it was accepted is its client's matter.
        let Ok((socket, _)) = accepted else { continue };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection::serve(socket, &shared) => {}
            }
        });
    }
}
