//! Fan-out of what happens right now. May lose everything; the log and the stream state know it too.

use std::sync::Arc;

use async_trait::async_trait;
use slipstream_domain::event::SettingsChanged;
use slipstream_domain::{
    AttachmentId, ConversationId, Epoch, GenerationId, ProviderId, Run, Seq, SessionId, Timestamp, UserId,
};

use super::PortError;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// All who look at a conversation.
    Conversation(ConversationId),
    /// All sockets of a user.
    User(UserId),
    /// The worker that makes a generation.
    Owner(GenerationId),
}

impl Subject {
    /// Messages kept for the slowest listener. Of a conversation more than a second of one reply's output (a message each
    /// 25 ms), about 3 KB; who falls further behind reads the stream state. Users and owners get a word now and then, and
    /// every idle socket pays for its user's subject.
    #[must_use]
    pub const fn backlog(self) -> usize {
        match self {
            Self::Conversation(_) => 64,
            Self::User(_) | Self::Owner(_) => 8,
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveMessage {
    /// New output.
    Output {
        /// Of which generation.
        generation: GenerationId,
        /// Its owner's epoch.
        epoch: Epoch,
        /// The deltas.
        run: Run,
        /// How long the model has thought so far, in milliseconds.
        thinking_ms: Option<u64>,
        /// When the first of it came from the provider, by the owner's clock: for measuring only.
        made_at: Timestamp,
    },
    /// Where the owner stands; once a second, so that a reader that missed output learns of it.
    Beat {
        /// Which generation.
        generation: GenerationId,
        /// Its owner's epoch.
        epoch: Epoch,
        /// The last delta sent.
        seq: Seq,
    },
    /// Please stop; the log has the wish.
    Cancel {
        /// Which generation.
        generation: GenerationId,
    },
    /// The user has signed out: sockets that this let in are over.
    SignedOut {
        /// Which session is closed; `None`: all of the user's are.
        session: Option<SessionId>,
    },
    /// The user has changed their settings.
    SettingsUpdated {
        /// What holds now.
        settings: SettingsChanged,
    },
    /// The user has put or removed a key of their own.
    ApiKeyUpdated {
        /// Of which provider.
        provider: ProviderId,
        /// Whether there is one now.
        is_set: bool,
    },
    /// Somebody types in a conversation.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// The socket it came from, which does not want to hear it again.
        connection: uuid::Uuid,
    },
    /// Something becomes of a file of the user's.
    File {
        /// Which.
        attachment: AttachmentId,
        /// What.
        news: FileNews,
        /// The socket that knows it already.
        connection: uuid::Uuid,
    },
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FileNews {
    /// It is on its way.
    OnItsWay {
        /// Percent.
        progress: f64,
        /// How many bytes are there, if that is known.
        bytes: Option<u64>,
        /// How many there will be, if that is known.
        total: Option<u64>,
    },
    /// It is stored and has been checked.
    Ready,
}

/// What a subscriber gets.
#[derive(Debug, Clone, PartialEq)]
pub enum BusEvent {
    /// A message.
    Message(Arc<LiveMessage>),
    /// Messages were lost here; the subscriber reads what it needs elsewhere.
    Lagged,
}

/// The bus.
///
/// Laws: a subscriber gets messages published on its subject after [`LiveBus::subscribe`] returned, in the order of each
/// publisher, each at most once; a slow subscriber loses messages and is told so, and never holds up a publisher. What is
/// published while the bus is away is lost; when it is back, every subscriber is told that it may have lost something.
#[async_trait]
pub trait LiveBus: Send + Sync {
    /// Tells everybody who listens; nobody listening is no error.
    async fn publish(&self, subject: Subject, message: Arc<LiveMessage>);

    /// Listens from now on; dropping the subscription ends it.
    async fn subscribe(&self, subject: Subject) -> Result<Box<dyn Subscription>, PortError>;

    /// Whether the owner of a generation, which listens on its [`Subject::Owner`], answers within a second.
    ///
    /// # Errors
    /// The bus cannot tell: it is away, or has been back for so short a time that the owner may not be yet.
    async fn owner_answers(&self, generation: GenerationId) -> Result<bool, PortError>;
}

/// Messages of one subject.
#[async_trait]
pub trait Subscription: Send {
    /// The next event; `None` when the bus is gone. Cancel-safe.
    async fn next(&mut self) -> Option<BusEvent>;
}
