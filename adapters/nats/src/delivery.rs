//! A job of the queue in a worker's hands.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};
use async_trait::async_trait;
use slipstream_commands::ports::{Delivery, Job, PortError};
use tokio::time::timeout;

use crate::connection::ANSWER;
use crate::queue::unavailable;

/// A delivery. Dropped without a word, it comes back when its time is over.
pub(crate) struct InHand {
    pub(crate) message: Message,
    pub(crate) job: Job,
    pub(crate) deliveries: u32,
}

impl InHand {
    async fn say(&self, kind: AckKind) -> Result<(), PortError> {
        match timeout(ANSWER, self.message.ack_with(kind)).await {
            Ok(said) => said.map_err(|error| unavailable(&error)),
            Err(_) => Err(unavailable(&"there is no room for an answer")),
        }
    }
}

/// The job, and how often it was delivered.
pub(crate) fn read(message: &Message) -> Result<(Job, u32), &'static str> {
    let info = message.info().map_err(|_| "it does not say how often it was delivered")?;
    let job = parse(&message.payload).ok_or("it names no generation")?;
    Ok((job, u32::try_from(info.delivered).unwrap_or(u32::MAX)))
}

/// [`Job::message_id`], backwards.
fn parse(payload: &[u8]) -> Option<Job> {
    let (generation, attempt) = std::str::from_utf8(payload).ok()?.split_once(':')?;
    Some(Job { generation: generation.parse().ok()?, attempt: attempt.parse().ok()? })
}

#[async_trait]
impl Delivery for InHand {
    fn job(&self) -> Job {
        self.job
    }

    fn deliveries(&self) -> u32 {
        self.deliveries
    }

    async fn in_progress(&self) -> Result<(), PortError> {
        self.say(AckKind::Progress).await
    }

    async fn ack(self: Box<Self>) -> Result<(), PortError> {
        // The server confirms it: a job that is done should not come to somebody else for want of one packet.
        match timeout(ANSWER, self.message.double_ack()).await {
            Ok(acknowledged) => acknowledged.map_err(|error| unavailable(&error)),
            Err(_) => Err(unavailable(&"no answer")),
        }
    }

    async fn nak(self: Box<Self>, delay: Duration) -> Result<(), PortError> {
        self.say(AckKind::Nak((!delay.is_zero()).then_some(delay))).await
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::GenerationId;

    use super::*;

    #[test]
    fn a_job_is_its_message_id() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91".parse::<GenerationId>().unwrap();
        let job = Job { generation: id, attempt: 3 };
        assert_eq!(parse(job.message_id().as_bytes()), Some(job));
        for other in
            ["", "x:1", "0190163d-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad91:x"]
        {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }
}
