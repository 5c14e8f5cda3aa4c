//! A user's devices: v1 clients that apply the protocol strictly, and do what their schedule says.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use slipstream_testkit::{V1Client, V1Socket};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::schedule::{Act, Conversation, Reply};

/// The longest a conversation may take; all that breaks is mended long before.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the devices of a conversation ended with.
pub(crate) struct Ended {
    /// By generation, what each device has of it.
    pub(crate) texts: BTreeMap<String, Vec<Seen>>,
}

/// A reply as a device shows it at its end.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) thinking: String,
}

/// What is known of a conversation by those that have its acknowledgements.
#[derive(Debug, Clone, Default)]
struct Known {
    conversation: Option<String>,
    generations: Vec<String>,
}

/// Plays a conversation with all of its devices to its end.
pub(crate) async fn converse(
    number: usize,
    conversation: &Conversation,
    gateway: watch::Receiver<SocketAddr>,
) -> Result<Ended, String> {
    let known = watch::Sender::new(Known::default());
    let devices = conversation.devices.iter().enumerate().map(|(device, acts)| {
        let device = Device {
            email: format!("user{number}@example.com"),
            gateway: gateway.clone(),
            client: V1Client::default(),
            socket: None,
            known: &known,
            news: known.subscribe(),
            asks: if device == 0 { &conversation.replies } else { &[] },
            replies: conversation.replies.len(),
            acts: acts.iter().copied().collect(),
            frames: 0,
            give_up: Instant::now() + PATIENCE,
            trace: VecDeque::new(),
        };
        device.run()
    });
    let mut texts = BTreeMap::<_, Vec<_>>::new();
    for seen in join_all(devices).await {
        for (generation, seen) in seen? {
            texts.entry(generation).or_default().push(seen);
        }
    }
    Ok(Ended { texts })
}

struct Device<'a> {
    email: String,
    gateway: watch::Receiver<SocketAddr>,
    client: V1Client,
    socket: Option<V1Socket>,
    known: &'a watch::Sender<Known>,
    /// Tells a device that only looks on what the others have learned.
    news: watch::Receiver<Known>,
    /// What it asks: nothing when it only looks on.
    asks: &'a [Reply],
    /// How many replies the conversation has.
    replies: usize,
    acts: VecDeque<(usize, Act)>,
    /// Taken since the last act.
    frames: usize,
    give_up: Instant,
    /// The last of what happened, for whoever reads a failure.
    trace: VecDeque<String>,
}

impl Device<'_> {
    async fn run(mut self) -> Result<Vec<(String, Seen)>, String> {
        while !self.is_done() {
            if Instant::now() >= self.give_up {
                return Err(self.failed("it never ended"));
            }
            if self.socket.is_none() {
                self.connect().await;
                continue;
            }
            self.act().await;
            match self.frame().await {
                Some(frame) => self.take(frame).await?,
                None => self.disconnect(),
            }
        }
        let generations = self.known.borrow().generations.clone();
        let seen = |id: String| {
            let reply = self.client.reply(&id)?;
            let seen = Seen { text: reply.text().to_owned(), thinking: reply.thinking().to_owned() };
            Some((id, seen))
        };
        Ok(generations.into_iter().filter_map(seen).collect())
    }

    fn is_done(&self) -> bool {
        let known = self.known.borrow();
        let over = |id: &String| self.client.reply(id).is_some_and(|reply| reply.terminal().is_some());
        known.generations.len() == self.replies && known.generations.iter().all(over)
    }

    async fn connect(&mut self) {
        let gateway = *self.gateway.borrow();
        self.socket = V1Socket::connect(gateway, &self.email).await;
        if self.socket.is_none() {
            return sleep(Duration::from_millis(20)).await;
        }
        self.note("connected".into());
        self.subscribe().await;
        self.ask().await;
    }

    fn disconnect(&mut self) {
        self.note("disconnected".into());
        self.socket = None;
        self.client.disconnected();
    }

    /// Asks for what it has, and from the beginning for what it knows of and has nothing of.
    async fn subscribe(&mut self) {
        let Known { conversation, generations } = self.known.borrow().clone();
        let Some(conversation) = conversation else { return };
        let frame = self.client.subscribe_also(&conversation, &generations);
        self.send(frame).await;
    }

    /// Asks what has not been acknowledged, under the same name as before; the second reply only once the first is.
    async fn ask(&mut self) {
        let Known { conversation, generations } = self.known.borrow().clone();
        let Some(reply) = self.asks.get(generations.len()) else { return };
        let name = format!("message {}", generations.len());
        let frame = json!({
            "type": "ai_chat_request", "conversationId": conversation.as_deref().unwrap_or("new-chat"),
            "provider": "simulated", "prompt": reply.prompt(), "clientMessageId": name,
        });
        self.send(frame).await;
    }

    async fn act(&mut self) {
        let Some((_, act)) = self.acts.front().copied().filter(|(after, _)| self.frames >= *after) else {
            return;
        };
        if self.known.borrow().conversation.is_none() {
            return;
        }
        self.acts.pop_front();
        self.frames = 0;
        self.note(format!("{act:?}"));
        match act {
            Act::Reconnect => self.disconnect(),
            Act::Reload => {
                self.disconnect();
                self.client = V1Client::default();
            }
            Act::Stall => sleep(Duration::from_millis(300)).await,
            Act::Resubscribe => self.subscribe().await,
            Act::Cancel => {
                let generations = self.known.borrow().generations.clone();
                let running = |id: &&String| self.client.reply(id).is_none_or(|reply| !reply.is_over());
                if let Some(id) = generations.iter().find(running) {
                    self.send(json!({"type": "ai_chat_cancel", "generationId": id})).await;
                }
            }
        }
    }

    async fn send(&mut self, frame: Value) {
        self.note(format!("> {frame}"));
        if let Some(socket) = &mut self.socket
            && !socket.send(&frame).await
        {
            self.disconnect();
        }
    }

    /// The next frame; `None` when the connection is gone, or has nothing for a long time.
    async fn frame(&mut self) -> Option<String> {
        loop {
            let socket = self.socket.as_mut()?;
            tokio::select! {
                frame = socket.frame() => return frame,
                // Another device has learned what this one does not know yet.
                changed = self.news.changed(), if self.asks.is_empty() => {
                    changed.ok()?;
                    self.subscribe().await;
                }
                () = sleep_until(self.give_up) => return None,
            }
        }
    }

    async fn take(&mut self, text: String) -> Result<(), String> {
        let frame = serde_json::from_str(&text).map_err(|error| self.failed(&format!("{error}: {text}")))?;
        self.note(text);
        self.frames += 1;
        let answer = self.client.take(&frame).map_err(|violation| self.failed(&violation.to_string()))?;
        if let Some(answer) = answer {
            self.send(answer).await;
        }
        for other in self.client.take_others() {
            match other["type"].as_str() {
                Some("ack") => self.acknowledged(&other).await?,
                // A gateway that drains; the next one takes it.
                Some("error") if other["code"] == "unavailable" => self.disconnect(),
                Some("error") => return Err(self.failed("it was refused")),
                _ => {}
            }
        }
        Ok(())
    }

    async fn acknowledged(&mut self, ack: &Value) -> Result<(), String> {
        let text = |name: &str| ack[name].as_str().map(str::to_owned);
        let (Some(conversation), Some(generation)) = (text("conversationId"), text("generationId")) else {
            return Ok(());
        };
        let number = self.known.borrow().generations.len();
        if text("clientMessageId") != Some(format!("message {number}")) {
            return Ok(());
        }
        if self.known.borrow().conversation.as_ref().is_some_and(|known| *known != conversation) {
            return Err(self.failed("a repeated request was carried out twice"));
        }
        self.known.send_modify(|known| {
            known.conversation = Some(conversation);
            known.generations.push(generation.clone());
        });
        // A repeated request may be answered when its reply is over already; nobody sends that unasked.
        if self.client.reply(&generation).is_none() {
            self.subscribe().await;
        }
        self.ask().await;
        Ok(())
    }

    fn note(&mut self, what: String) {
        if self.trace.len() == 60 {
            self.trace.pop_front();
        }
        self.trace.push_back(what);
    }

    fn failed(&self, what: &str) -> String {
        let trace: Vec<_> = self.trace.iter().map(String::as_str).collect();
        format!("{}, {:?}: {what}\n  {}", self.email, *self.known.borrow(), trace.join("\n  "))
    }
}
