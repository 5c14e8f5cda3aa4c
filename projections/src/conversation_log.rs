//! A conversation told from the log alone: for readers that follow it as it grows and must miss no version of it.

use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{Conversation, ConversationId, Event, Title, UserId};
use slipstream_eventlog::{EventLog, StreamId, Version};

use crate::error::QueryError;
use crate::followed::{Followed, decode};

/// What the log knows of a conversation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConversationLog {
    /// Its state.
    pub state: Conversation,
    /// Its events, in order: version 1 is the first.
    pub events: Vec<Versioned>,
    /// Whose it is; `None` when there is none. Still known when it is deleted.
    pub owner: Option<UserId>,
    /// Whether its owner has deleted it.
    pub deleted: bool,
    /// What it is called, if that can still be read.
    pub title: Option<Title>,
}

/// An event of a conversation, with the conversation's version that it makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned {
    /// Gapless from 1.
    pub version: i64,
    /// What happened.
    pub event: ConversationEvent,
}

impl ConversationLog {
    /// How many events it has; 0 when there is none.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.events.last().map_or(0, |last| last.version)
    }
}

/// Reads a conversation's whole stream. A stream of another kind is as unknown as one that does not exist.
///
/// # Errors
/// `Unavailable`; `Unreadable` when one of its events cannot be read.
pub async fn conversation_log(log: &EventLog, id: ConversationId) -> Result<ConversationLog, QueryError> {
    let mut told = ConversationLog::default();
    for followed in read(log, id, 0).await? {
        let Event::Conversation(event) = followed.event else { return Ok(ConversationLog::default()) };
        told.state.evolve(&event, followed.meta);
        match &event {
            ConversationEvent::ConversationStarted(_) => told.owner = followed.meta.owner,
            ConversationEvent::TitleSet(set) => {
                told.title = set.content.open().map(|content| content.title.clone());
            }
            ConversationEvent::ConversationDeleted(_) => told.deleted = true,
            ConversationEvent::UserMessagePosted(_)
            | ConversationEvent::ReplyRequested(_)
            | ConversationEvent::UserMessageQueued(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::ReplyRecorded(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_)
            | ConversationEvent::ConversationSettingsChanged(_) => {}
        }
        told.events.push(Versioned { version: followed.version, event });
    }
    Ok(told)
}

/// The events of a conversation after `version`, in order.
///
/// # Errors
/// `Unavailable`; `Unreadable` when one of them cannot be read.
pub async fn conversation_events(
    log: &EventLog,
    id: ConversationId,
    version: i64,
) -> Result<Vec<Versioned>, QueryError> {
    let of_conversation = |followed: Followed| match followed.event {
        Event::Conversation(event) => Some(Versioned { version: followed.version, event }),
        Event::Generation(_) | Event::User(_) | Event::Email(_) | Event::Attachment(_) | Event::Audit(_) => {
            None
        }
    };
    Ok(read(log, id, version).await?.into_iter().filter_map(of_conversation).collect())
}

async fn read(log: &EventLog, id: ConversationId, after: i64) -> Result<Vec<Followed>, QueryError> {
    let recorded = log.read_stream(StreamId::from_uuid(id.as_uuid()), Version::new(after)).await?;
    let unreadable = |why| QueryError::Unreadable(format!("conversation {id}: {why}"));
    recorded.iter().map(|recorded| decode(recorded).map_err(unreadable)).collect()
}
