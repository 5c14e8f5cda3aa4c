//! The whole history of a conversation as of a moment, from the log alone: for auditors, who are shown it whosever it is.
//! Refuses nobody: that is for the caller, who has recorded the read before the first event is told.

use slipstream_domain::{Category, ConversationId};
use slipstream_eventlog::{CorrelationId, EventLog, Position, ReadError, Recorded};

/// Events of one page: each may be a megabyte.
const PAGE: usize = 64;

/// A history, page by page.
pub struct Replay {
    log: EventLog,
    conversation: CorrelationId,
    up_to: Position,
    /// Read, but not told.
    ahead: Vec<Recorded>,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum NoReplay {
    /// Nobody knows it.
    #[error("there is no conversation {0}")]
    Unknown(ConversationId),
    /// Something else has this id.
    #[error("{0} is no conversation")]
    NoConversation(ConversationId),
    /// It was begun later.
    #[error("conversation {id} began at position {began}, after {up_to}")]
    NotYet {
        /// Which.
        id: ConversationId,
        /// Its first event.
        began: Position,
        /// The moment that is asked for.
        up_to: Position,
    },
    /// The database or the key ring.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Replay {
    /// The history of a conversation up to and with a position.
    ///
    /// # Errors
    /// See [`NoReplay`].
    pub async fn open(log: &EventLog, id: ConversationId, up_to: Position) -> Result<Self, NoReplay> {
        let conversation = CorrelationId::from_uuid(id.as_uuid());
        let ahead = log.read_correlation_page(conversation, Position::START, up_to, PAGE).await?;
        let began = if let Some(first) = ahead.first() {
            first.clone()
        } else {
            let head = log.head().await?.position;
            let first = log.read_correlation_page(conversation, Position::START, head, 1).await?;
            first.into_iter().next().ok_or(NoReplay::Unknown(id))?
        };
        if began.category.0 != Category::Conversation.number() {
            return Err(NoReplay::NoConversation(id));
        }
        if ahead.is_empty() {
            return Err(NoReplay::NotYet { id, began: began.position, up_to });
        }
        Ok(Self { log: log.clone(), conversation, up_to, ahead })
    }

    /// The next events, in order; none at the end. Cancel-safe: what was not told will be.
    ///
    /// # Errors
    /// The database or the key ring does not answer; it may be called again.
    pub async fn next_page(&mut self) -> Result<Vec<Recorded>, ReadError> {
        let Some(last) = self.ahead.last() else { return Ok(Vec::new()) };
        let next = self.log.read_correlation_page(self.conversation, last.position, self.up_to, PAGE).await?;
        Ok(std::mem::replace(&mut self.ahead, next))
    }
}
