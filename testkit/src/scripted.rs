//! A provider that answers by a script, for what no vendor does on demand: a wait that ends when the test says so, a
//! panic, an answer that is none.
#![allow(clippy::expect_used, clippy::panic)] // a script that is over, or says so, fails the test

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream};
use slipstream_domain::ProviderId;
use slipstream_providers::{ChatRequest, Delta, DeltaStream, Model, Provider, ProviderError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// One line of a script.
#[derive(Debug, Clone)]
pub enum Line {
    /// Says this.
    Say(Delta),
    /// Waits this long.
    Wait(Duration),
    /// Waits until [`ScriptedProvider::go_on`].
    Hold,
    /// Fails, and is over.
    Fail(ProviderError),
    /// Panics.
    Panic,
}

/// Answers each call with the next of its scripts, and finds no titles but those it is told. Cheap to clone; clones share
/// everything.
#[derive(Debug, Clone)]
pub struct ScriptedProvider {
    id: ProviderId,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    scripts: Mutex<VecDeque<Vec<Line>>>,
    titles: Mutex<VecDeque<Vec<Line>>>,
    titled: Mutex<Vec<ChatRequest>>,
    requests: Mutex<Vec<ChatRequest>>,
    holds: Semaphore,
    closed: AtomicUsize,
}

impl ScriptedProvider {
    /// Stands for the provider `id`; its first call is answered by the first script.
    #[must_use]
    pub fn new(id: ProviderId, scripts: impl IntoIterator<Item = Vec<Line>>) -> Self {
        let shared = Shared {
            scripts: Mutex::new(scripts.into_iter().collect()),
            titles: Mutex::default(),
            titled: Mutex::default(),
            requests: Mutex::default(),
            holds: Semaphore::new(0),
            closed: AtomicUsize::new(0),
        };
        Self { id, shared: Arc::new(shared) }
    }

    /// Answers the next request for a title with this script.
    ///
    /// # Panics
    /// When another test thread panicked while asking.
    pub fn will_title(&self, script: Vec<Line>) {
        self.shared.titles.lock().expect("no thread panicked").push_back(script);
    }

    /// Which titles it was asked for, in order.
    ///
    /// # Panics
    /// When another test thread panicked while asking.
    #[must_use]
    pub fn titled(&self) -> Vec<ChatRequest> {
        self.shared.titled.lock().expect("no thread panicked").clone()
    }

    /// Ends one [`Line::Hold`], the present one or the next.
    pub fn go_on(&self) {
        self.shared.holds.add_permits(1);
    }

    /// What was asked, in order.
    ///
    /// # Panics
    /// When another test thread panicked while asking.
    #[must_use]
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.shared.requests.lock().expect("no thread panicked").clone()
    }

    /// How many answers that are no titles are over: said to the end, or given up by their caller.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.shared.closed.load(Ordering::SeqCst)
    }
}

impl Provider for ScriptedProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        self.shared.requests.lock().expect("no thread panicked").push(request.clone());
        let script = self.shared.scripts.lock().expect("no thread panicked").pop_front();
        let counts = Counts(Arc::clone(&self.shared));
        self.answer(script.expect("a script for every call"), Some(counts), cancel)
    }

    fn title(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        self.shared.titled.lock().expect("no thread panicked").push(request.clone());
        let script = self.shared.titles.lock().expect("no thread panicked").pop_front();
        self.answer(script.unwrap_or_default(), None, cancel)
    }

    fn takes_thinking(&self, _: &Model) -> bool {
        true
    }
}

impl ScriptedProvider {
    fn answer(&self, script: Vec<Line>, counts: Option<Counts>, cancel: CancellationToken) -> DeltaStream {
        let answering = Answering { lines: script.into(), shared: Arc::clone(&self.shared), _counts: counts };
        let answer = stream::unfold(answering, |mut answering| async move {
            let item = answering.next().await?;
            Some((item, answering))
        });
        answer.take_until(cancel.cancelled_owned()).boxed()
    }
}

struct Answering {
    lines: VecDeque<Line>,
    shared: Arc<Shared>,
    _counts: Option<Counts>,
}

/// Counts an answer that is over.
struct Counts(Arc<Shared>);

impl Answering {
    async fn next(&mut self) -> Option<Result<Delta, ProviderError>> {
        loop {
            match self.lines.pop_front()? {
                Line::Say(delta) => return Some(Ok(delta)),
                Line::Wait(time) => tokio::time::sleep(time).await,
                Line::Hold => self.shared.holds.acquire().await.expect("it is never closed").forget(),
                Line::Fail(error) => {
                    self.lines.clear();
                    return Some(Err(error));
                }
                Line::Panic => panic!("the script says so"),
            }
        }
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
    }
}
