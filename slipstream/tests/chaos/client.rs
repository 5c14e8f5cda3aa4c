//! One user with a v1 client: asks one thing after another, goes to another gateway when its own is gone, and remembers what
//! it was promised and what it got.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use slipstream_testkit::{V1Client, V1Socket};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// What takes longer beyond its own time never ends.
const PATIENCE: Duration = Duration::from_secs(90);
/// Before a gateway is asked again that was not there, or could not.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a client looks up from its socket.
const LOOK: Duration = Duration::from_millis(200);
/// One user of so many asks the next thing while the answer before is made.
const HASTY: usize = 4;
/// One user of so many asks what is thought about without a word: nothing is recorded, and nothing beats.
const PONDEROUS: usize = 8;
/// What is remembered of the wire, for whoever reads a failure.
const TRACE: usize = 80;

/// A user's conversation, as the user lived it.
pub(crate) struct Story {
    pub(crate) email: String,
    pub(crate) conversation: Option<String>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) client: V1Client,
    /// What the server may not do, and did.
    pub(crate) broken: Option<String>,
    trace: VecDeque<String>,
}

/// Something a user asked.
pub(crate) struct Asked {
    prompt: String,
    /// How long its reply takes when nothing is wrong.
    own_time: Duration,
    began: Instant,
    pub(crate) acknowledged: Option<Acknowledged>,
    pub(crate) ended: Option<Instant>,
}

/// What the server promised.
pub(crate) struct Acknowledged {
    pub(crate) generation: String,
    pub(crate) message: String,
    at: Instant,
}

pub(crate) struct Client {
    story: Story,
    gateways: Vec<SocketAddr>,
    /// The gateway it goes to.
    at: usize,
    socket: Option<V1Socket>,
    /// How many questions may be open.
    ahead: usize,
    is_ponderous: bool,
    /// Whether the last question went out on this socket.
    sent: bool,
    random: StdRng,
}

impl Client {
    /// The `number`th client; everything it does by chance follows from `seed`.
    pub(crate) fn new(number: usize, seed: u64, gateways: Vec<SocketAddr>) -> Self {
        let story = Story {
            email: format!("user{number}-{seed:x}@example.com"),
            conversation: None,
            asked: Vec::new(),
            client: V1Client::default(),
            broken: None,
            trace: VecDeque::new(),
        };
        Self {
            story,
            gateways,
            at: number,
            socket: None,
            ahead: if number.is_multiple_of(HASTY) { 2 } else { 1 },
            is_ponderous: number % PONDEROUS == 1,
            sent: false,
            random: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
        }
    }

    /// Asks until `enough`, and waits for what it has asked.
    pub(crate) async fn run(mut self, enough: CancellationToken) -> Story {
        while !(enough.is_cancelled() && self.story.open() == 0 || self.story.is_hopeless()) {
            if let Err(what) = self.go_on(&enough).await {
                self.story.broken = Some(what);
                break;
            }
        }
        self.story
    }

    async fn go_on(&mut self, enough: &CancellationToken) -> Result<(), String> {
        if self.socket.is_none() {
            self.connect().await;
        }
        self.ask(enough).await;
        let Some(socket) = &mut self.socket else { return Ok(()) };
        match timeout(LOOK, socket.frame()).await {
            Ok(Some(text)) => self.take(text).await,
            Ok(None) => {
                self.leave();
                Ok(())
            }
            Err(_nothing) => Ok(()),
        }
    }

    async fn connect(&mut self) {
        let gateway = self.gateways[self.at % self.gateways.len()];
        self.socket = V1Socket::connect(gateway, &self.story.email).await;
        if self.socket.is_none() {
            self.at += 1;
            return sleep(PAUSE).await;
        }
        self.story.note(format!("connected to {gateway}"));
        self.sent = false;
        self.subscribe().await;
    }

    /// The connection is gone, or no good; the next one is to another gateway.
    fn leave(&mut self) {
        self.story.note("disconnected".to_owned());
        self.socket = None;
        self.at += 1;
        self.story.client.disconnected();
    }

    async fn subscribe(&mut self) {
        let Some(conversation) = &self.story.conversation else { return };
        let generations: Vec<_> = self.story.promises().map(|promise| promise.generation.clone()).collect();
        let frame = self.story.client.subscribe_also(conversation, &generations);
        self.send(frame).await;
    }

    /// Sends what was not acknowledged, under the same name as before; else, if there is time, something new.
    async fn ask(&mut self, enough: &CancellationToken) {
        if self.socket.is_none() {
            return;
        }
        let waits = self.story.asked.last().is_some_and(|asked| asked.acknowledged.is_none());
        if waits && self.sent {
            return;
        }
        if !waits {
            if enough.is_cancelled() || self.story.open() >= self.ahead {
                return;
            }
            let asked = self.something();
            self.story.asked.push(asked);
        }
        let Some(asked) = self.story.asked.last() else { return };
        let frame = json!({
            "type": "ai_chat_request", "provider": "simulated", "prompt": asked.prompt,
            "conversationId": self.story.conversation.as_deref().unwrap_or("new-chat"),
            "clientMessageId": self.story.asked.len().to_string(),
        });
        self.sent = true;
        self.send(frame).await;
    }

    fn something(&mut self) -> Asked {
        let (chunks, delay) = if self.is_ponderous {
            (self.random.random_range(2..4_u32), self.random.random_range(1000..2500_u32))
        } else {
            (self.random.random_range(10..50_u32), self.random.random_range(20..80_u32))
        };
        let (bytes, thinking) = (self.random.random_range(1..60), self.random.random_range(0..3_u32));
        Asked {
            prompt: format!("[[chunks={chunks} delay_ms={delay} bytes={bytes} thinking={thinking}]]"),
            own_time: Duration::from_millis(((chunks + thinking) * delay).into()),
            began: Instant::now(),
            acknowledged: None,
            ended: None,
        }
    }

    async fn send(&mut self, frame: Value) {
        self.story.note(format!("> {frame}"));
        if let Some(socket) = &mut self.socket
            && !socket.send(&frame).await
        {
            self.leave();
        }
    }

    async fn take(&mut self, text: String) -> Result<(), String> {
        let frame = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        self.story.note(text);
        let answer = self.story.client.take(&frame).map_err(|violation| violation.to_string())?;
        if let Some(answer) = answer {
            self.send(answer).await;
        }
        for other in self.story.client.take_others() {
            match other["type"].as_str() {
                Some("ack") => self.acknowledged(&other).await?,
                // Somebody it needs is not there; perhaps another gateway's luck is better.
                Some("error") if other["code"] == "unavailable" => {
                    self.leave();
                    sleep(PAUSE).await;
                }
                Some("error") => return Err(format!("it was refused: {other}")),
                _ => {}
            }
        }
        self.story.look_for_ends();
        Ok(())
    }

    async fn acknowledged(&mut self, ack: &Value) -> Result<(), String> {
        let text = |name: &str| ack[name].as_str().map(str::to_owned).ok_or(format!("an ack without {name}"));
        let (conversation, generation) = (text("conversationId")?, text("generationId")?);
        let (message, name) = (text("messageId")?, text("clientMessageId")?);
        if self.story.conversation.get_or_insert_with(|| conversation.clone()) != &conversation {
            return Err(format!("a repeated request has begun another conversation: {ack}"));
        }
        let asked = name.parse().ok().and_then(|number: usize| self.story.asked.get_mut(number - 1));
        let asked = asked.ok_or(format!("nobody has asked this: {ack}"))?;
        // Its reply may be over already, if it was asked for before; nobody sends that unasked.
        let unknown = self.story.client.reply(&generation).is_none();
        match &asked.acknowledged {
            Some(known) if known.generation != generation => {
                return Err(format!("a repeated request was carried out twice: {ack}"));
            }
            Some(_) => {}
            None => asked.acknowledged = Some(Acknowledged { generation, message, at: Instant::now() }),
        }
        if unknown {
            self.subscribe().await;
        }
        Ok(())
    }
}

impl Story {
    /// What the server has promised to answer.
    pub(crate) fn promises(&self) -> impl Iterator<Item = &Acknowledged> {
        self.asked.iter().filter_map(|asked| asked.acknowledged.as_ref())
    }

    /// By how much each reply that has ended took longer than it would have by itself.
    pub(crate) fn delays(&self) -> impl Iterator<Item = Duration> {
        let mut before = None;
        self.asked.iter().filter_map(move |asked| {
            let ended = asked.ended?;
            let begin = asked.acknowledged.as_ref()?.at.max(before.unwrap_or(asked.began));
            before = Some(ended);
            Some(ended.saturating_duration_since(begin).saturating_sub(asked.own_time))
        })
    }

    /// What happened last.
    pub(crate) fn trace(&self) -> String {
        self.trace.iter().fold(String::new(), |trace, line| trace + "\n    " + line)
    }

    fn open(&self) -> usize {
        self.asked.iter().filter(|asked| asked.ended.is_none()).count()
    }

    fn is_hopeless(&self) -> bool {
        self.asked
            .iter()
            .any(|asked| asked.ended.is_none() && asked.began.elapsed() > asked.own_time + PATIENCE)
    }

    fn look_for_ends(&mut self) {
        for asked in self.asked.iter_mut().filter(|asked| asked.ended.is_none()) {
            let reply =
                asked.acknowledged.as_ref().and_then(|promise| self.client.reply(&promise.generation));
            if reply.is_some_and(|reply| reply.terminal().is_some()) {
                asked.ended = Some(Instant::now());
            }
        }
    }

    fn note(&mut self, what: String) {
        if self.trace.len() == TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back(what);
    }
}
