//! Hints between the logs of processes, on one core subject.

use async_nats::{Client, Subscriber};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use slipstream_commands::ports::PortError;
use slipstream_eventlog::{HintTopic, Hints, Position, ProjectorId};
use tokio::sync::Mutex;

use crate::connection::Link;

/// Hints over NATS. What cannot be sent at once is not sent: there will be a later one, and readers poll.
#[derive(Debug)]
pub struct NatsHints {
    link: Link,
    subject: String,
    /// Tells our own hints from others'.
    me: String,
    incoming: Mutex<Subscriber>,
}

/// A hint as it travels. Without a projector it is the log's.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hint {
    from: String,
    position: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    projector: Option<(String, i32)>,
}

impl NatsHints {
    pub(crate) async fn open(link: &Link) -> Result<Self, PortError> {
        let unavailable = |reason| PortError { port: "hints", reason };
        let subject = link.names.hints();
        let subscriber = link.client.subscribe(subject.clone()).await;
        let incoming = Mutex::new(subscriber.map_err(|e| unavailable(e.to_string()))?);
        link.done_by_server().await.map_err(unavailable)?;
        Ok(Self { link: link.clone(), subject, me: unique(&link.client), incoming })
    }
}

/// An inbox has a name nobody else has.
fn unique(client: &Client) -> String {
    client.new_inbox()
}

#[async_trait]
impl Hints for NatsHints {
    fn hint(&self, topic: HintTopic, position: Position) {
        let projector = match topic {
            HintTopic::Log => None,
            HintTopic::Projector(ProjectorId { name, version }) => Some((name.as_ref().to_owned(), version)),
        };
        let hint = Hint { from: self.me.clone(), position, projector };
        if let (true, Ok(bytes)) = (self.link.is_connected(), serde_json::to_vec(&hint)) {
            drop(self.link.client.publish(self.subject.clone(), bytes.into()).now_or_never());
        }
    }

    async fn next(&self) -> (HintTopic, Position) {
        let mut incoming = self.incoming.lock().await;
        while let Some(message) = incoming.next().await {
            // What cannot be read comes from a newer process, and is a hint only.
            let Ok(hint) = serde_json::from_slice::<Hint>(&message.payload) else { continue };
            if hint.from != self.me {
                let topic = match hint.projector {
                    None => HintTopic::Log,
                    Some((name, version)) => HintTopic::Projector(ProjectorId::new(&name, version)),
                };
                return (topic, hint.position);
            }
        }
        std::future::pending().await
    }
}
